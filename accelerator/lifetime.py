"""How long a program lives: until a signal, a time, or the failure of a part; and the order in which its parts end."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import structlog

T = TypeVar("T")
Part = Callable[[asyncio.Event], Awaitable[Any]]
"""A part of a program: given its stop event, runs until that is set."""

log = structlog.get_logger()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop where there is one."""
    with _calm_collector(), asyncio.Runner(loop_factory=_loop) as runner:
        return runner.run(main)


@contextmanager
def _calm_collector() -> Iterator[None]:
    """Let the garbage collector look at 100,000 new objects at a time, not at 700, and never at imported modules.

    A burst of messages makes thousands of objects that reference counting frees: looking for cycles took 40 %
    of the event loop of a loaded collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    try:
        yield
    finally:
        gc.unfreeze()  # native modules complain at exit of what is never collected


def _loop() -> asyncio.AbstractEventLoop:
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.new_event_loop()
    return new_event_loop()


def stop_on_signals(stop: asyncio.Event) -> None:
    """SIGTERM and Ctrl-C set ``stop``; a second one is not needed, and not refused."""
    loop = asyncio.get_running_loop()

    def asked(name: str) -> None:
        if not stop.is_set():
            log.info("stopping", signal=name, next="finishing what was received; nothing acknowledged is lost")
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked, number.name)


async def run_parts(parts: dict[str, Part], stop: asyncio.Event, *, for_seconds: float | None = None) -> None:
    """Run the parts until ``stop``; then end them one after the other in the order given.

    A part that ends or raises by itself ends all; what it raised is raised again after the others ended.
    """
    events = {name: asyncio.Event() for name in parts}
    tasks = {name: asyncio.create_task(_run(part, events[name]), name=name) for name, part in parts.items()}
    waiting = asyncio.create_task(_wait(stop, for_seconds))
    try:
        await asyncio.wait({waiting, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        for name, task in tasks.items():
            events[name].set()
            await asyncio.wait({task})
    for task in tasks.values():
        task.result()


async def _run(part: Part, stop: asyncio.Event) -> None:
    await part(stop)


async def _wait(stop: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        stop.set()
