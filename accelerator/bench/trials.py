"""``resilian bench ingest --against telegraf --faults``: what each loses under kill -9, bad payloads, type conflicts.

Everything is published with QoS 1 and acknowledged by the broker. What is not in the store after the last message is
there and the bridge has ended in good order is lost, unless the bridge keeps it with its reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from accelerator.bench.drain import publisher
from accelerator.bench.ingest import Size, new_load, surroundings
from accelerator.bench.load import Load
from accelerator.bench.pace import Paced
from accelerator.bench.subjects import ALL, CONFLICTED, Place, Subject, Who, subject
from accelerator.output import Progress
from store import influx_ql as ql

_LOOK_S: Final = 0.2
Wrong = Callable[[Load, int], bytes]
"""The faulty payload of a message."""
_Trial = Callable[[Subject, Load], Awaitable[dict[str, Any]]]

BAD: Final[Mapping[str, Wrong]] = {
    "not JSON": lambda load, index: b"power=3120",
    "truncated": lambda load, index: load.payload(index)[:50],
    "NaN": lambda load, index: load.payload(index, "NaN"),
    "1e999": lambda load, index: load.payload(index, "1e999"),
    "text for a number": lambda load, index: load.payload(index, '"off"'),
    "true for a number": lambda load, index: load.payload(index, "true"),
}
CONFLICT: Final[Mapping[str, Wrong]] = {"power as text": lambda load, index: load.payload(index, '"3120 W"')}
_ONE_IN: Final = 100  # machines that change the type of their power


@dataclass(frozen=True)
class Kills:
    """kill -9 and an immediate start, at even distances while messages come."""

    times: int = 4
    seconds: float = 12.0
    rate: int = 5_000

    @property
    def count(self) -> int:
        return int(self.seconds * self.rate)


@dataclass(frozen=True)
class Faulty:
    """A load in which the first machines, one a kind, send faulty payloads, from a share of their messages on."""

    load: Load
    count: int
    kinds: Mapping[str, Wrong]
    from_share: float = 0.0

    def wrong(self, index: int) -> Wrong | None:
        """What is wrong with message ``index``."""
        machine = index % len(self.load.keys)
        if machine >= len(self.kinds) or index < self.from_share * self.count:
            return None
        return list(self.kinds.values())[machine]

    def payload(self, index: int) -> bytes:
        """The body of message ``index``."""
        wrong = self.wrong(index)
        return self.load.payload(index) if wrong is None else wrong(self.load, index)


async def kills(found: Subject, load: Load, plan: Kills, patience_s: float) -> dict[str, Any]:
    """``sent``, ``stored`` and ``lost`` of messages that come while the bridge is killed; ``stalled``: see below."""
    program, paced = found.bridge.program, Paced(load, plan.count, plan.rate)
    async with publisher(found.address) as session, paced.beside(session):
        for turn in range(1, plan.times + 1):
            await paced.reaches(plan.count * turn // (plan.times + 1))
            await program.kill()
            await program.start()
    stored, stalled = await _settled(found, load, plan.count, patience_s)
    return {"sent": plan.count, "stored": stored, "lost": plan.count - stored, "stalled": stalled}


async def faults(found: Subject, faulty: Faulty, patience_s: float) -> dict[str, Any]:
    """``good``: sent and not stored; ``stalled``: it takes nothing more, and what is not stored waits at the broker.

    ``bad``: by kind how many were sent, kept with a reason, stored, vanished (neither). ``stored_in_part`` is without
    the power that was none; ``stored_as_power`` is with something in its place.
    """
    load, count = faulty.load, faulty.count
    async with publisher(found.address) as session:
        await session.publish_all((load.topic(index), faulty.payload(index)) for index in range(count))
    all_stored, stalled = await _settled(found, load, count, patience_s)
    bad = [index for index in range(count) if faulty.wrong(index)]
    kept, by_kind = found.bridge.kept(), {}
    for machine, kind in enumerate(faulty.kinds):
        key = load.keys[machine]
        times = [load.at(index) for index in bad if index % len(load.keys) == machine]
        where = f"time >= {times[0]}ms AND time <= {times[-1] + 1}ms{ql.among([key])}"
        stored, powers = await found.count("seq", where), await found.count("power_w", where)
        by_kind[kind] = {
            "sent": len(times),
            "kept_with_reason": kept[key],
            "stored_in_part": stored - powers,
            "stored_as_power": powers,
            "vanished": len(times) - max(kept[key], stored),
        }
    in_bad = sum(one["stored_in_part"] + one["stored_as_power"] for one in by_kind.values())
    good = count - len(bad)
    return {"good": {"sent": good, "lost": good - (all_stored - in_bad), "stalled": stalled}, "bad": by_kind}


async def _settled(found: Subject, load: Load, count: int, patience_s: float) -> tuple[int, bool]:
    """How many of the messages are stored when one more is, which has no power, and the bridge has ended.

    That one is refused by no store in which the type of power is another than ours. True beside it: it never came, and
    nothing more did for so long; what is missing waits at the broker.
    """
    at = load.at(count + len(load.keys))
    last, others = f"time >= {at}ms", f"time < {at}ms"
    async with publisher(found.address) as session:
        payload = f'{{"at":{at},"state":"STANDBY","seq":{count},"boot":1}}'.encode()
        await session.publish_all([(load.topic(count), payload)])
    loop = asyncio.get_running_loop()
    stored, deadline = -1, 0.0
    while not await found.count("seq", last) and (stored < 0 or loop.time() < deadline):
        now = await found.count("seq", others)
        if now > stored:
            stored, deadline = now, loop.time() + patience_s
        await asyncio.sleep(_LOOK_S)
    stalled = not await found.count("seq", last)
    await found.bridge.program.stop()
    return await found.count("seq", others), stalled


async def trials(
    place: Place,
    progress: Progress,
    *,
    who: Who = ALL,
    conflicted: Who = CONFLICTED,
    plan: Kills = Kills(),
    count: int = 30_000,
    patience_s: float = 20.0,
) -> dict[str, Any]:
    """Every trial for each of those compared; JSON values only.

    Args:
        who: for kills and bad payloads; ``conflicted`` for type conflicts.
        count: messages with 1 % bad ones; four times as many for type conflicts, so that large writes are many.
        patience_s: who stores nothing more for so long is stalled.

    Raises:
        Missing, Found: as :func:`accelerator.bench.against.compare`.
    """
    steady, bad, longer = Size(plan.count, 50, 5), Size(count, len(BAD) * _ONE_IN, 5), Size(4 * count, _ONE_IN, 5)

    def conflict(from_share: float) -> _Trial:
        return lambda found, load: faults(found, Faulty(load, longer.count, CONFLICT, from_share), patience_s)

    every: dict[str, tuple[Who, Size, _Trial]] = {
        "kill": (who, steady, lambda found, load: kills(found, load, plan, patience_s)),
        "bad_payloads": (who, bad, lambda found, load: faults(found, Faulty(load, bad.count, BAD, 0.1), patience_s)),
        "type_conflict": (conflicted, longer, conflict(0.5)),
        "type_conflict_first": (conflicted, longer, conflict(0.0)),
    }
    steps = [(name, subject_name) for name, (of, _, _) in every.items() for subject_name in of]
    found: dict[str, Any] = {name: {"messages": size.count} for name, (_, size, _) in every.items()}
    for done, (name, subject_name) in enumerate(steps):
        progress(done, len(steps), f"{name}, {subject_name}")
        of, size, run = every[name]
        load = new_load(size)
        async with subject(place, load, of[subject_name]) as one:
            found[name][subject_name] = await run(one, load)
    return {**found, **surroundings("mosquitto", place.store_url)}
