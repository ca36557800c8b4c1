"""A part that is not on the machine: skipped by name, told in the closing table, and a failure with CI=true."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run_without_influxd(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    environment = {**kept, "RESILIAN_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin", **environment}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/store/test_contract.py",
        "-k",
        "empty_store",
    ]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_it_is_skipped_by_name_and_the_closing_line_is_the_last(tmp_path: Path) -> None:
    done = run_without_influxd(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "skipped, and why" in done.stdout
    assert "1 tests/store/test_contract.py: influxd is not built" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.splitlines()[-1]


def test_with_ci_it_fails(tmp_path: Path) -> None:
    done = run_without_influxd(tmp_path, CI="true")
    assert done.returncode == 1, done.stdout
    assert "with CI=true nothing is skipped: influxd is not built" in done.stdout
