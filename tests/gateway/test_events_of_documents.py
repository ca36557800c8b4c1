"""A state that analytics has derived is told at once, though its machine has not spoken again."""

import asyncio
from datetime import UTC, datetime

import pytest

from fleet.records import Outlook
from gateway import events
from store.base import Store
from tests.gateway import world
from tests.gateway.running import Running
from tests.patience import PATIENCE_S


async def test_a_derived_state_is_told_without_a_reading(
    gateway: Running, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events.OwnerVoice, "every_s", 3600.0)  # no heartbeat comes to its help
    [document] = [one for one in await store.read_documents("outlook", "alsalac") if one.machine == "cabine-1"]
    outlook = Outlook.model_validate_json(document.body)
    now = datetime.now(UTC)
    changed = outlook.model_copy(update={"state": "MAINTENANCE", "state_since": now, "last_reading": now})
    async with (
        asyncio.timeout(PATIENCE_S),
        gateway.client.get(f"{gateway.url}/events?machine=alsalac.cabine-1") as told,
    ):
        said = b""
        while b"event: state" not in said:  # as things are when the stream begins
            said += await told.content.readany()
        update = {"at": document.at + 1, "body": changed.model_dump_json()}
        await store.write_documents([document.model_copy(update=update)])
        await gateway.publish("net/v1/health/analytics", world.health("analytics", now))
        while b"en maintenance" not in said:
            said += await told.content.readany()
