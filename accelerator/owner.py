"""The owner of the embedded broker and store, and how other commands work through it.

DuckDB refuses a second process, even read-only, so the process that holds the data folder writes ``run.json`` (mode
0600: pid, broker, gateway, control address and token) and executes the jobs of other commands on 127.0.0.1.
"""

import hmac
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from accelerator.problems import Found, Missing, Problem, Usage

if TYPE_CHECKING:
    from aiohttp import web

Job = Callable[[Mapping[str, Any]], Awaitable[Any]]
_KINDS: dict[str, type[Problem]] = {kind.__name__: kind for kind in (Found, Usage, Missing)}


RUN_FILE: Final = "run.json"


@dataclass(frozen=True)
class Running:
    """What ``run.json`` holds."""

    pid: int
    broker: str
    gateway: str
    store: str
    fleet: str
    control: str
    token: str


def find(run_file: Path) -> Running | None:
    """The running owner of the data folder, or None; a file left by a process that is gone is ignored."""
    try:
        running = Running(**json.loads(run_file.read_text(encoding="utf-8")))
        os.kill(running.pid, 0)
    except (OSError, ValueError, TypeError):
        return None
    return running


def write(run_file: Path, running: Running) -> None:
    """Write ``run.json`` readable by its owner alone, atomically."""
    run_file.parent.mkdir(parents=True, exist_ok=True)
    draft = run_file.with_suffix(".tmp")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(running), file)
    draft.replace(run_file)


@asynccontextmanager
async def serving(jobs: Mapping[str, Job]) -> AsyncIterator[tuple[str, str]]:
    """Serve the jobs on a free loopback port; yields (address, token)."""
    from aiohttp import web

    token = secrets.token_urlsafe(32)

    async def handle(request: "web.Request") -> "web.Response":
        if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {token}"):
            return web.json_response({"problem": "Missing", "text": "wrong control token"}, status=403)
        job = jobs.get(request.match_info["job"])
        if job is None:
            return web.json_response({"problem": "Usage", "text": "the running program has no such job"}, status=404)
        try:
            return web.json_response(await job(await request.json()))
        except Problem as problem:
            return web.json_response({"problem": type(problem).__name__, "text": str(problem)}, status=409)
        except Exception as error:  # noqa: BLE001 - a failing job is told to the command that asked, the programs go on
            structlog.get_logger().exception("job failed", job=request.match_info["job"])
            return web.json_response({"problem": "Found", "text": f"the running program failed: {error}"}, status=500)

    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_post("/jobs/{job}", handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}", token
    finally:
        await runner.cleanup()


async def ask(running: Running, job: str, arguments: Mapping[str, Any]) -> Any:
    """Have the owner execute a job; its JSON result.

    Raises:
        Problem: what the job raised there, with the same exit code.
        Missing: the owner does not answer.
    """
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=5)) as client,
            client.post(
                f"{running.control}/jobs/{job}",
                json=dict(arguments),
                headers={"Authorization": f"Bearer {running.token}"},
            ) as reply,
        ):
            answer = await reply.json()
            if reply.status == 200:
                return answer
            raise _KINDS.get(answer.get("problem", ""), Found)(answer.get("text", f"HTTP {reply.status}"))
    except aiohttp.ClientError as error:
        raise Missing(
            f"the running program (pid {running.pid}) does not answer at {running.control}: {error}"
        ) from None


def remove(run_file: Path) -> None:
    """Take ``run.json`` away when it is this process's."""
    with suppress(OSError, ValueError):
        if json.loads(run_file.read_text(encoding="utf-8"))["pid"] == os.getpid():
            run_file.unlink()
