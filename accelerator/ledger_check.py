"""The ledger oracle: every message that the broker acknowledged is in the store once, or refused with its reason.

P is what publishers recorded at PUBACK, S what the store holds, D what was refused. Required: every P is in S or D,
nothing is in S that was not sent, and no reading is in S twice. A reading is known by machine, device time, ``seq`` and
``boot``; a refused message by the SHA-256 of its payload, and a reading that the store refused as a reading.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from accelerator.problems import Found, Missing
from fleet.batch import NO_INT, MachineKey, ReadingBatch
from fleet.topics import member_of
from store import Store

_SHOWN = 5


class Sent(NamedTuple):
    """A reading as its publisher knows it."""

    key: MachineKey
    at_ms: int
    seq: int
    boot: int


@dataclass
class Ledger:
    """What publishers recorded: each reading sent, and the hash of the payload that carried it."""

    sent: dict[Sent, str]
    lines: int


def read_ledger(path: Path) -> Ledger:
    """Read ``{"topic", "payload_sha256", "machine", "at", "seq", "boot", "acked_at"}`` lines; ``at`` is epoch ms.

    Raises:
        Missing: the file cannot be read.
        Found: a line is not such an object; names line and rule.
    """
    sent: dict[Sent, str] = {}
    lines = 0
    for number, text in _lines(path):
        try:
            line: dict[str, Any] = json.loads(text)
            member = member_of(line["topic"])
            if member is None:
                raise ValueError(f"topic {line['topic']!r} belongs to no member")
            key = MachineKey(member, line["machine"])
            sent[Sent(key, int(line["at"]), _number(line.get("seq")), _number(line.get("boot")))] = line[
                "payload_sha256"
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise Found(f"{path}:{number}: not a ledger line: {error}") from None
        lines += 1
    return Ledger(sent, lines)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                if text.endswith("\n"):  # a publisher that was killed may leave a last half line: never acknowledged
                    yield number, text
    except OSError as error:
        raise Missing(f"{path}: cannot be read: {error.strerror}") from None


def _number(value: Any) -> int:
    return NO_INT if value is None else int(value)


@dataclass
class Refused:
    """What was refused: whole messages by the SHA-256 of their payload, and readings that the store never takes."""

    hashes: set[str]
    readings: set[Sent]


def read_refused(path: Path | None) -> Refused:
    """Read a file of ``resilian rejects list --json``; nothing is refused without a file.

    Raises:
        Missing: the file cannot be read.
        Found: it is no such list.
    """
    refused = Refused(set(), set())
    if path is None:
        return refused
    try:
        for row in json.loads(path.read_text(encoding="utf-8")):
            refused.hashes.add(row["sha256"])
            for one in row.get("readings", ()):
                key = MachineKey(row["member"], row["machine"])
                refused.readings.add(Sent(key, one["at"], _number(one["seq"]), _number(one["boot"])))
    except OSError as error:
        raise Missing(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise Found(f"{path}: not the output of `resilian rejects list --json`: {error}") from None
    return refused


def stored_readings(batch: ReadingBatch) -> Counter[Sent]:
    """How often each reading is in the store."""
    rows = batch.rows
    times = (rows["at_ns"] // 1_000_000).tolist()
    names = [batch.machines[index] for index in rows["machine"].tolist()]
    return Counter(map(Sent, names, times, rows["seq"].tolist(), rows["boot"].tolist()))


async def check(store: Store, ledger_path: Path, rejects_path: Path | None) -> dict[str, Any]:
    """Compare; the figures, with the first few of whatever is wrong, and ``ok``."""
    ledger = read_ledger(ledger_path)
    refused = read_refused(rejects_path)
    machines = sorted({sent.key for sent in ledger.sent})
    stored = stored_readings(await store.read_readings(machines, -(2**62) // 1_000_000, 2**62 // 1_000_000))
    missing = [sent for sent in ledger.sent if sent not in stored]
    lost = [sent for sent in missing if ledger.sent[sent] not in refused.hashes and sent not in refused.readings]
    twice = [sent for sent, times in stored.items() if times > 1]
    # A publisher killed between sending and recording leaves readings that were sent and never recorded: not a fault.
    unknown = [sent for sent in stored if sent not in ledger.sent]
    return {
        "ok": not (lost or twice),
        "published": len(ledger.sent),
        "lines": ledger.lines,
        "stored": sum(stored.values()),
        "rejected": len(missing) - len(lost),
        "lost": len(lost),
        "duplicates": sum(stored[sent] - 1 for sent in twice),
        "unrecorded": len(unknown),
        "examples": {
            "lost": [_shown(sent) for sent in lost[:_SHOWN]],
            "duplicates": [_shown(sent) for sent in twice[:_SHOWN]],
            "unrecorded": [_shown(sent) for sent in unknown[:_SHOWN]],
        },
    }


def _shown(sent: Sent) -> dict[str, Any]:
    return {
        "member": sent.key.member,
        "machine": sent.key.machine,
        "at": sent.at_ms,
        "seq": sent.seq,
        "boot": sent.boot,
    }
