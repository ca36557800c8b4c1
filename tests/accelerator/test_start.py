"""A command loads its own family alone: it starts in a third of the time that all of them take."""

import subprocess
import sys

import pytest
from typer.main import get_command

from accelerator.main import FAMILIES, application, execute


def test_the_table_has_the_commands_of_every_family() -> None:
    listed = [word for words in FAMILIES.values() for word in words]
    assert sorted(listed) == sorted(get_command(application()).commands)  # type: ignore[attr-defined]  # a group
    for words in FAMILIES.values():
        alone = get_command(application(words[0])).commands  # type: ignore[attr-defined]  # a group
        assert sorted(alone) == sorted(words)


@pytest.mark.parametrize(
    ("words", "absent"),
    [
        (["settings"], ["aiohttp", "aiomqtt", "duckdb", "holidays"]),
        (["report", "--help"], ["aiohttp", "aiomqtt", "duckdb", "holidays", "tomlkit"]),
        (["evaluate", "--help"], ["numpy", "aiohttp", "aiomqtt", "holidays"]),
    ],
)
def test_what_a_command_does_not_need_is_not_loaded(words: list[str], absent: list[str]) -> None:
    told = (
        f"import sys; from accelerator.main import execute; execute({words}); print(set({absent}) & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_command_that_is_not_there_is_told_of_those_that_are(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["reprot"]) == 2
    assert "report" in capfd.readouterr().err
