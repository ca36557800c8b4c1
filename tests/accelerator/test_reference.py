"""What ``--help`` says and what the page says are one; no summary is cut, and places are given alike everywhere."""

import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from accelerator.main import application
from tests.accelerator import reference

PLACELESS = {"demo", "bench", "evaluate"}
"""``demo`` has a network of its own; files and machines of their own alone are measured by the others."""
FAMILIES = get_command(application()).commands  # type: ignore[attr-defined]  # a group
GROUPS = ["", *sorted(name for name, one in FAMILIES.items() if getattr(one, "commands", None))]


def test_the_page_lists_every_option_of_every_command() -> None:
    page = reference.PAGE.read_text()
    assert reference.reference() in page, "write it anew: python -m tests.accelerator.reference"


def test_every_option_of_help_is_in_the_line_of_its_command() -> None:
    """Read from the printed help itself, so that the list cannot leave out what a user sees."""
    for name, command in reference.commands():
        printed = CliRunner().invoke(application(), [*name.split(), "--help"], env={"COLUMNS": "200"}).output
        told = set(re.findall(r"^  (--[a-z-]+)", printed, re.MULTILINE)) - {"--help"}
        assert told == set(re.findall(r"--[a-z-]+", reference.usage(name, command))), name


@pytest.mark.parametrize("group", GROUPS)
def test_no_summary_is_cut(group: str) -> None:
    printed = CliRunner().invoke(application(), [*group.split(), "--help"], env={"COLUMNS": "80"}).output
    summaries = printed.split("Commands:")[1].split("\n\n")[0].strip().splitlines()
    assert len(summaries) > 0
    assert [line for line in summaries if line.endswith("...")] == []
    assert [line for line in summaries if len(line.split(maxsplit=1)[1]) < 12] == []


def test_every_command_on_a_network_takes_the_same_places() -> None:
    for name, command in reference.commands():
        opts = {one.opts[0] for one in reference.options(command)}
        if name.split()[0] not in PLACELESS:
            assert {"--fleet", "--data"} <= opts, name


def test_what_is_required_is_marked() -> None:
    printed = CliRunner().invoke(application(), ["device", "add", "--help"], env={"COLUMNS": "200"}).output
    assert re.search(r"--broker <str> [^\n]*\n *\[required\]", printed)
    refused = CliRunner().invoke(application(), ["device", "add", "zorn", "x"])
    assert refused.exit_code == 2
