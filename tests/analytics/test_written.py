"""The reports of the back-tests: what a person reads is what was measured."""

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from accelerator.main import application
from accelerator.problems import Missing
from analytics.evaluate.plot import reliability_svg
from analytics.evaluate.scores import reliability

SVG = "{http://www.w3.org/2000/svg}"
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def intervals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three machines that work a shift each, the third seldom."""
    path = tmp_path_factory.mktemp("recording") / "shop | one.csv"
    random = np.random.default_rng(4)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("machine", "start", "end"))
        for day in range(7 * 12):
            for machine, chance in (("mill|5", 0.9), ("saw", 0.5), ("oven", 0.1)):
                if random.random() < chance:
                    start = MONDAY + timedelta(days=day, hours=6)
                    writer.writerow((machine, start.isoformat(), (start + timedelta(hours=6)).isoformat()))
    return path


def run(*arguments: str) -> str:
    found = CliRunner().invoke(application(), list(arguments))
    assert found.exit_code == 0, found.output
    return found.output


def test_the_report_on_availability(intervals: Path, tmp_path: Path) -> None:
    folder = tmp_path / "report" / "deep"
    said = run("evaluate", "availability", str(intervals), "--state-known", "--lead", "90min", "--report", str(folder))
    text = (folder / "availability.md").read_text()
    assert "resilian, state known (oracle)" in said
    assert "# P(free for 8h), told 90min ahead" in text
    assert "silence was taken as idle" in text
    assert "| smoothed_hour_of_week | 0." in text
    assert "![share that came true by chance told](reliability.svg)" in text
    drawn = ElementTree.fromstring((folder / "reliability.svg").read_text())  # noqa: S314  # of our own making
    assert drawn.find(f"{SVG}title") is not None
    assert len(drawn.findall(f"{SVG}polyline")) == 2
    assert "95 % intervals of the calibration error: resilian 0." in (folder / "availability.md").read_text()


def test_the_report_on_flags(intervals: Path, tmp_path: Path) -> None:
    said = run("evaluate", "flags", str(intervals), "--report", str(tmp_path))
    text = (tmp_path / "flags.md").read_text()
    row = next(line for line in text.splitlines() if line.startswith("| recall where the evidence sufficed |"))
    told = row.split(" | ")[2]
    assert re.fullmatch(r"\[0\.\d\d, [01]\.\d\d\]", told), row
    assert told in said
    assert "| precision: share of the flags that were right |" in text
    assert text.count("| 2026-") == 3  # Mondays after six weeks, with four after them


def test_the_report_on_states(tmp_path: Path) -> None:
    readings = tmp_path / "readings.csv"
    rows = [f"mill|5,2026-03-02T0{minute // 60}:{minute % 60:02d}Z,PRODUCING,FAULT" for minute in range(120)]
    readings.write_text("\n".join(["machine,at,state,label", *rows]))
    run("evaluate", "states", str(readings), "--test-from", "2026-03-02T01:00:00Z", "--report", str(tmp_path))
    text = (tmp_path / "states.md").read_text()
    assert "| mill\\|5 | 60 | 0.000 |" in text
    assert "| FAULT | 60 |" in text


def test_names_stand_in_the_report_as_they_are_written(tmp_path: Path) -> None:
    readings = tmp_path / "a`<b>.csv"
    names = ("![x](http://there/x.png)", "<img src=x>", "press_1, 50 %!", "`mill\\|5`")
    rows = [
        f'"{name}",2026-03-02T0{minute // 60}:{minute % 60:02d}Z,PRODUCING,FAULT'
        for name in names
        for minute in range(120)
    ]
    readings.write_text("\n".join(["machine,at,state,label", *rows, "[mute](x),2026-03-02T00:00Z,PRODUCING,"]))
    run("evaluate", "states", str(readings), "--test-from", "2026-03-02T01:00:00Z", "--report", str(tmp_path))
    text = (tmp_path / "states.md").read_text()
    for shown in (r"!\[x\](http://there/x.png)", r"\<img src=x>", "press_1, 50 %!", r"\`mill\\\|5\`"):
        assert f"\n| {shown} | 60 |" in text
    assert r"Recording: a\`\<b>.csv." in text
    assert r"- machine \[mute\](x): no labelled row" in text


def test_a_folder_that_cannot_be_written_is_said_in_one_line(intervals: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    found = CliRunner().invoke(
        application(), ["evaluate", "flags", str(intervals), "--report", str(tmp_path / "taken")]
    )
    assert isinstance(found.exception, Missing)
    assert str(found.exception).endswith("name another folder")


def test_points_lie_where_the_table_says() -> None:
    probability, outcome = np.array([0.0, 0.5, 0.5, 1.0]), np.array([False, True, False, True])
    drawn = ElementTree.fromstring(reliability_svg("a & b", {"<one>": reliability(probability, outcome)}))  # noqa: S314
    line = drawn.find(f"{SVG}polyline")
    assert line is not None
    points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    assert points[0][0] < points[1][0] < points[2][0]
    assert points[1][1] == pytest.approx((points[0][1] + points[2][1]) / 2)  # on the diagonal
    assert len(drawn.findall(f"{SVG}circle")) == 4  # three points and the key
    assert reliability_svg("nothing", {"none": []}).startswith("<svg")
