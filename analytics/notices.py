"""What analytics says of machines: documents in the store, findings also retained at the broker."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

from bus.client import OutboxFull, Session, SessionClosed
from fleet.batch import MachineKey
from fleet.records import Document, Finding, FindingStatus
from fleet.topics import FINDING
from store.base import Store

OUTLOOK: Final = "outlook"
FINDINGS: Final = "finding"


def topic_of(finding: Finding) -> str:
    """Where the finding is published."""
    return FINDING.format(member=finding.member, machine=finding.machine, rule=finding.rule)


def payload_of(finding: Finding) -> bytes:
    """What is published of it; nothing of a machine that is clear."""
    return b"" if finding.status is FindingStatus.CLEAR else finding.model_dump_json().encode()


async def load_findings(store: Store) -> dict[MachineKey, dict[str, Finding]]:
    """The findings in force, by machine and rule.

    Raises:
        store.base.StoreUnavailable: again later.
    """
    found: dict[MachineKey, dict[str, Finding]] = {}
    for document in await store.read_documents(FINDINGS):
        finding = Finding.model_validate_json(document.body)
        found.setdefault(MachineKey(finding.member, finding.machine), {})[finding.rule] = finding
    return found


def differing(before: Mapping[str, Finding], after: Iterable[Finding]) -> tuple[list[Finding], list[str]]:
    """Findings that are new or say something else than before, and rules whose finding is to be withdrawn."""
    judged = {finding.rule: finding for finding in after}
    changed = [finding for rule, finding in judged.items() if before.get(rule) != finding]
    return changed, [rule for rule in before if rule not in judged]


class Notices:
    """Writes and publishes; what is published comes after what is stored."""

    def __init__(self, store: Store, session: Session) -> None:
        self._store, self._session = store, session
        self._newest: dict[tuple[MachineKey, str], int] = {}

    async def write(self, bodies: Iterable[tuple[MachineKey, str, str]], now_ms: int) -> None:
        """Store (machine, kind, body) documents; an empty body withdraws one."""
        documents = [
            Document(member=key.member, machine=key.machine, kind=kind, at=self._at(key, kind, now_ms), body=body)
            for key, kind, body in bodies
        ]
        if documents:
            await self._store.write_documents(documents)

    def publish(self, findings: Iterable[Finding]) -> None:
        """Publish findings, retained."""
        for finding in findings:
            self._retain(topic_of(finding), payload_of(finding))

    def withdraw(self, key: MachineKey, rules: Iterable[str]) -> None:
        """Take findings back from the broker."""
        for rule in rules:
            self._retain(FINDING.format(member=key.member, machine=key.machine, rule=rule), b"")

    async def judged(self, key: MachineKey, before: Mapping[str, Finding], after: list[Finding], now_ms: int) -> None:
        """Store and publish what a new judgement changes."""
        changed, gone = differing(before, after)
        bodies = [(key, f"{FINDINGS}/{finding.rule}", finding.model_dump_json()) for finding in changed]
        await self.write([*bodies, *((key, f"{FINDINGS}/{rule}", "") for rule in gone)], now_ms)
        self.publish(changed)
        self.withdraw(key, gone)
        await asyncio.sleep(0)

    def _at(self, key: MachineKey, kind: str, now_ms: int) -> int:
        """The newest ``at`` wins in the store, so it must rise, whatever the clock does."""
        at = max(now_ms, self._newest.get((key, kind), 0) + 1)
        self._newest[key, kind] = at
        return at

    def _retain(self, topic: str, payload: bytes) -> None:
        with suppress(OutboxFull, SessionClosed):  # everything is published again with the next new session
            self._session.publish(topic, payload, retain=True)
