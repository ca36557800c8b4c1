"""What the ledger oracle reads: the publishers' ledger, and the files of what was refused or belongs to no machine."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from accelerator.problems import Found, Missing
from fleet.batch import NO_INT, MachineKey
from fleet.topics import member_of


class Sent(NamedTuple):
    """A reading as its publisher knows it."""

    key: MachineKey
    at_ms: int
    seq: int
    boot: int


class Part(NamedTuple):
    """Which message carried a reading: SHA-256 of the payload, and the position in its array, None without one."""

    sha256: str
    element: int | None


@dataclass
class Ledger:
    """What publishers recorded.

    Attributes:
        sent: each reading, the messages that carried it, and whether the broker acknowledged them.
        values: the quantities of a reading, where the ledger tells them: one object for each message.
        complete: machines whose publisher recorded what it sent before the PUBACK, too: nothing else may be stored.
        lines: of the file.
    """

    sent: dict[Sent, dict[Part, bool]] = field(default_factory=lambda: defaultdict(dict))
    values: dict[Sent, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    complete: set[MachineKey] = field(default_factory=set)
    lines: int = 0


@dataclass
class Refused:
    """What is kept instead of stored: whole payloads, elements of arrays, and readings that the store refused."""

    whole: set[str] = field(default_factory=set)
    elements: set[Part] = field(default_factory=set)
    readings: set[Sent] = field(default_factory=set)

    def holds(self, sent: Sent, part: Part) -> bool:
        """Whether this reading of this message is among them."""
        return part.sha256 in self.whole or part in self.elements or sent in self.readings


def read_ledger(path: Path) -> Ledger:
    """Read ``{"topic", "payload_sha256", "machine", "at", "seq", "boot", "acked_at"}`` lines; times are epoch ms.

    ``acked_at`` null is a message that was sent and whose PUBACK may never have come. Of an array each element has its
    line with its position as ``element``. ``values`` may hold the reading's quantities as they were sent.

    Raises:
        Missing: the file cannot be read.
        Found: a line is not such an object; names line and rule.
    """
    ledger = Ledger()
    for number, text in _lines(path):
        try:
            _add(ledger, json.loads(text))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Found(f"{path}:{number}: not a ledger line: {error}") from None
        ledger.lines += 1
    return ledger


def _add(ledger: Ledger, line: dict[str, Any]) -> None:
    member = member_of(line["topic"])
    if member is None:
        raise ValueError(f"topic {line['topic']!r} belongs to no member")
    sent = Sent(
        MachineKey(member, line["machine"]), int(line["at"]), _number(line.get("seq")), _number(line.get("boot"))
    )
    part = Part(line["payload_sha256"], line.get("element"))
    acknowledged = line.get("acked_at", 0) is not None
    if not acknowledged:
        ledger.complete.add(sent.key)
    parts = ledger.sent[sent]
    if part not in parts and line.get("values") is not None:
        ledger.values[sent].append(dict(line["values"]))
    parts[part] = acknowledged or parts.get(part, False)


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


def read_refused(paths: Sequence[Path]) -> Refused:
    """Read files of ``resilian rejects list --json``, with or without ``--unclaimed``; nothing without a file.

    Raises:
        Missing: a file cannot be read.
        Found: a file is no such output.
    """
    refused = Refused()
    for path in paths:
        try:
            for row in json.loads(path.read_text(encoding="utf-8")):
                _refuse(refused, row)
        except OSError as error:
            raise Missing(f"{path}: cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Found(f"{path}: not the output of `resilian rejects list --json`: {error}") from None
    return refused


def _refuse(refused: Refused, row: dict[str, Any]) -> None:
    if row.get("readings"):
        key = MachineKey(row["member"], row["machine"])
        for one in row["readings"]:
            refused.readings.add(Sent(key, one["at"], _number(one["seq"]), _number(one["boot"])))
    elif row.get("indices"):
        refused.elements |= {Part(row["sha256"], index) for index in row["indices"]}
    else:
        refused.whole.add(row["sha256"])
