"""The product's programs as processes, on a real broker and a real store, for the end-to-end tests."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from accelerator.bench.processes import program
from bus.client import BrokerAddress
from bus.comfort import listen
from fleet.topics import HEALTH
from tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[2]


def environment(folder: Path, broker: str, store: str | None, token: str = "") -> dict[str, str]:
    """Settings of a test's own, nothing of the user's."""
    chosen = {
        "RESILIAN_BROKER": broker,
        "RESILIAN_FLEET": str(folder / "fleet"),
        "RESILIAN_DATA_DIR": str(folder / "data"),
        "RESILIAN_STORE_TOKEN": token,
        "RESILIAN_PORT": "0",
        "RESILIAN_LOG": "warning",
        "NO_COLOR": "1",
    }
    return chosen | ({"RESILIAN_STORE": store} if store else {})


def write_network(folder: Path, timezone: str = "UTC") -> None:
    """An empty network."""
    (folder / "fleet" / "members").mkdir(parents=True)
    text = f'name = "Essai"\nplace = {{ commune = "Haguenau" }}\ntimezone = "{timezone}"\n'
    (folder / "fleet" / "network.toml").write_text(text)


@asynccontextmanager
async def running(settings: dict[str, str], *programs: str) -> AsyncIterator[None]:
    """Programs started side by side and alive by their health messages; each ends by SIGTERM with exit code 0."""
    address = BrokerAddress.parse(settings["RESILIAN_BROKER"])
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(program([name], settings)) for name in programs]
        for name in ("ingest", "analytics"):
            await alive(address, name)
        yield
        for process in started:
            process.terminate()
        codes = [await process.wait() for process in started]
    assert codes == [0] * len(programs)


async def alive(address: BrokerAddress, name: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
    """The first health message of a program that says it is connected."""
    async with asyncio.timeout(patience_s):
        async for message in listen(address, [HEALTH.format(program=name)], qos=1):
            health: dict[str, Any] = json.loads(message.payload) if message.payload else {}
            if health.get("alive") and health["broker"]["connected"]:
                return health
    raise AssertionError("the listener ended")


async def resilian(settings: dict[str, str], *arguments: str, code: int = 0) -> str:
    """Run one command; its standard output.

    Raises:
        AssertionError: it ends with another exit code.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "accelerator.main",
        *arguments,
        env={**os.environ, **settings},
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, err.decode()
    return out.decode()
