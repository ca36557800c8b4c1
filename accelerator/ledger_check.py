"""The ledger oracle: every message that the broker acknowledged is in the store once, or refused with its reason.

P is what publishers recorded at PUBACK, S what the store holds, D what was refused or belongs to no machine. Required:
every P is in S or D, an array element by element; nothing is in S that was not sent; no reading is in S twice; what S
holds is what was sent. A reading is known by machine, device time, ``seq`` and ``boot``; a refused message by the
SHA-256 of its payload.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerator.ledger_file import Ledger, Refused, Sent, read_ledger, read_refused
from fleet.batch import NO_INT, QUANTITIES, ReadingBatch
from fleet.states import NO_STATE, STATES
from store import Store

_WRONG = ("lost", "duplicates", "unsent", "altered")


async def check(
    store: Store, ledger_path: Path, rejects_paths: Sequence[Path] = (), *, shown: int = 5
) -> dict[str, Any]:
    """Compare; the figures, with the first ``shown`` of whatever is wrong, and ``ok``.

    ``lost``: acknowledged, neither stored nor refused. ``duplicates``: stored more often than sent. ``altered``: stored
    with other quantities than were sent. ``unsent``: stored and never sent. ``unrecorded``: stored and not in a ledger
    that lists only what was acknowledged: a publisher killed before its line was written leaves such, so no fault.
    """
    ledger, refused = read_ledger(ledger_path), read_refused(rejects_paths)
    machines = sorted({sent.key for sent in ledger.sent})
    stored: Counter[Sent] = Counter()
    altered: Counter[Sent] = Counter()
    for machine in machines:  # one at a time: millions of readings fit into no single answer
        batch = await store.read_readings([machine], -(2**62) // 1_000_000, 2**62 // 1_000_000)
        keys = stored_keys(batch)
        stored.update(keys)
        altered.update(_altered(ledger, batch, keys))
    found = {**_compared(ledger, refused, stored), "altered": altered}
    for sent in stored:
        if sent not in ledger.sent:
            found["unsent" if sent.key in ledger.complete else "unrecorded"][sent] = stored[sent]
    return {
        "ok": not any(found[name] for name in _WRONG),
        "published": sum(sum(parts.values()) for parts in ledger.sent.values()),
        "lines": ledger.lines,
        "stored": stored.total(),
        **{name: counts.total() for name, counts in found.items()},
        "examples": {name: [_shown(sent) for sent in list(counts)[:shown]] for name, counts in found.items()},
    }


def _compared(ledger: Ledger, refused: Refused, stored: Counter[Sent]) -> dict[str, Counter[Sent]]:
    """How often each reading is missing, refused, or there too often."""
    found: dict[str, Counter[Sent]] = {
        name: Counter() for name in ("rejected", "lost", "duplicates", "unsent", "unrecorded")
    }
    for sent, parts in ledger.sent.items():
        acknowledged = [part for part, acked in parts.items() if acked]
        missing = len(acknowledged) - stored[sent]
        if missing > 0:
            kept = min(missing, sum(refused.holds(sent, part) for part in acknowledged))
            for name, count in (("rejected", kept), ("lost", missing - kept)):
                if count:
                    found[name][sent] = count
        elif stored[sent] > len(parts):
            found["duplicates"][sent] = stored[sent] - len(parts)
    return found


def stored_keys(batch: ReadingBatch) -> list[Sent]:
    """Each row of the store as its publisher knows it, in order."""
    rows = batch.rows
    times = (rows["at_ns"] // 1_000_000).tolist()
    names = [batch.machines[index] for index in rows["machine"].tolist()]
    return list(map(Sent, names, times, rows["seq"].tolist(), rows["boot"].tolist()))


def _altered(ledger: Ledger, batch: ReadingBatch, keys: list[Sent]) -> Counter[Sent]:
    """Rows whose quantities are none of those that were sent as this reading."""
    found: Counter[Sent] = Counter()
    if not ledger.values:
        return found
    columns = {name: batch.rows[name].tolist() for name in QUANTITIES}
    for row, sent in enumerate(keys):
        expected = ledger.values.get(sent)
        if expected is not None and _values(columns, row) not in expected:
            found[sent] += 1
    return found


def _values(columns: dict[str, list[Any]], row: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, column in columns.items():
        value = column[row]
        if name == "state":
            if value != NO_STATE:
                values[name] = STATES[value].value
        elif value not in (NO_INT, None) and value == value:
            values[name] = value
    return values


def _shown(sent: Sent) -> dict[str, Any]:
    return {
        "member": sent.key.member,
        "machine": sent.key.machine,
        "at": sent.at_ms,
        "seq": sent.seq,
        "boot": sent.boot,
    }
