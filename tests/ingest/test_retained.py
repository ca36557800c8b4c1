"""What a broker retains comes with a new session, and not again with each restart of ours."""

from ingest.config import IngestConfig
from ingest.listing import listed
from store import Store
from tests.ingest.conftest import collecting, connected, until
from tests.ingest.ear import Ear

BOOTH, NOBODYS = "m/acme/booth/reading", "m/acme/nobody/reading"


async def test_retained_messages_are_kept_once(config: IngestConfig, store: Store, ear: Ear) -> None:
    for topic, payload in ((BOOTH, b"{"), (NOBODYS, b'{"power_w":1}')):
        ear.session.publish(topic, payload, retain=True)
    await ear.session.flush()
    for life in range(3):
        async with collecting(config, store):
            await connected(ear)
            await ear.send((BOOTH, {"at": 1_795_000_000_000 + life, "power_w": life}))
            await until(lambda: ear.health.get("stored") == 1, "what comes after it")
        await until(lambda: ear.health.get("alive") is False, "the end of this life")
        assert {kind: len(listed(config.data_dir / "spool.sqlite", kind=kind)) for kind in ("reject", "unclaimed")} == {
            "reject": 1, "unclaimed": 1,
        }  # fmt: skip


async def test_what_was_retained_while_we_were_away_comes(config: IngestConfig, store: Store, ear: Ear) -> None:
    async with collecting(config, store):
        await connected(ear)
    await until(lambda: ear.health.get("alive") is False, "the end of the first life")
    ear.session.publish(BOOTH, b'{"at":1795000000000,"power_w":1}', retain=True)
    await ear.session.flush()
    async with collecting(config, store):
        await until(lambda: ear.health.get("stored") == 1, "the reading")
