"""The examples of the README, executed: commands in their order, and the reading that a device would send."""

import asyncio
import json
import re
import shlex
import sys
from pathlib import Path

from accelerator import owner
from bus.client import BrokerAddress
from bus.comfort import publish_once
from tests.e2e.programs import ROOT, alive, resilian
from tests.patience import PATIENCE_S

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """What stands after `.venv/bin/resilian` in the section "Use it", comments left out."""
    section = README.split("## Use it")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith(".venv/bin/resilian ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_every_script_and_document_that_it_names_is_there() -> None:
    for script in re.findall(r"^(scripts/\w+)", README, re.MULTILINE):
        assert (ROOT / script).stat().st_mode & 0o100, script
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


async def test_the_commands_do_what_it_says(tmp_path: Path) -> None:
    settings = {"RESILIAN_DATA_DIR": str(tmp_path), "RESILIAN_PORT": "0", "RESILIAN_DEVICE_PORT": "0", "NO_COLOR": "1"}
    up, *rest = commands()
    assert up == ["up"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "accelerator.main", "up", cwd=ROOT, env={"PATH": "/usr/bin:/bin", **settings},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"resilian: http://127.0.0.1:")
        running = owner.find(tmp_path / "run.json")
        assert running is not None
        broker = BrokerAddress.parse(running.broker)
        for arguments in rest:
            doctor = arguments[0] == "doctor"
            said = await resilian(settings, *arguments, code=1 if doctor else 0)
            assert not doctor or "has never sent anything. Do this:" in said
        topic, payload = re.search(r"publishes to `(m/\S+)`, for instance `(\{.*?\})`", README, re.DOTALL).groups()  # type: ignore[union-attr]  # it is there
        digest = (await alive(broker, "ingest"))["registry_digest"]
        await publish_once(broker, topic, payload.encode())
        async with asyncio.timeout(PATIENCE_S):
            while not (newest := json.loads(await resilian(settings, "report", "--json"))):
                assert digest
        assert [(row["member"], row["machine"]) for row in newest] == [tuple(topic.split("/")[1:3])]
    finally:
        process.terminate()
        assert await process.wait() == 0
