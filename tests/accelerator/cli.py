"""The command as a user starts it, and the small network that tests of it share."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]
NETWORK = """
name = "Essai"
timezone = "Europe/Paris"
place = { commune = "Brumath" }
"""
MEMBER = """
slug = "zorn"
name = "Peinture de la Zorn"
place = { commune = "Brumath" }
"""


def network(fleet: Path, member: str = MEMBER) -> Path:
    """A fleet's folder with one member."""
    (fleet / "members").mkdir(parents=True, exist_ok=True)
    (fleet / "network.toml").write_text(NETWORK)
    (fleet / "members" / "zorn.toml").write_text(member)
    return fleet


def environment(data: Path, **more: str) -> dict[str, str]:
    """Nothing of the settings of who runs the tests."""
    return {"PATH": "/usr/bin:/bin", "RESILIAN_DATA_DIR": str(data), "NO_COLOR": "1", **more}


def start(*words: str, data: Path, log: Path, **more: str) -> "subprocess.Popen[bytes]":
    """Start a command that goes on; what it prints goes to ``log``."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "accelerator.main", *words],
            stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=environment(data, **more), cwd=ROOT,
        )  # fmt: skip


def resilian(*words: str, data: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "accelerator.main", *words],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False, stdin=subprocess.DEVNULL,
        env=environment(data, **more), cwd=ROOT,
    )  # fmt: skip


def answer(*words: str, data: Path, **more: str) -> Any:
    """The JSON a command prints."""
    done = resilian(*words, "--json", data=data, **more)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)
