"""What every store promises of hours and documents, on every store."""

import itertools

from fleet.batch import MachineKey
from fleet.records import Document
from store import Store
from tests.store.conftest import HOUR, A, B, C, bucket, document


async def test_hours_come_back_whole_and_sorted(store: Store) -> None:
    hours = [
        bucket(C, HOUR),
        bucket(
            A, HOUR + 3600, segments=((0, 2), (1200, 0), (3599, 6)), seconds=(2399.0, 0.5, 1200.0, 0.0, 0.0, 0.0, 0.5)
        ),
        bucket(
            A,
            HOUR,
            energy_wh=None,
            pieces=None,
            power_max_w=None,
            basis="none",
            carry='{"q":"a\\"b\\\\"}',
            model="é, 1=2",
            energy_by_state=None,
            metered_s=0.0,
        ),
        bucket(
            B, HOUR - 3600, pieces=0, energy_wh=0.0, power_max_w=0.0, segments=(), carry="", energy_by_state=(0.0,) * 7
        ),
    ]
    await store.write_hours(iter(hours))
    expected = sorted(hours, key=lambda hour: (hour.key, hour.hour))
    assert await store.read_hours(None, 0, 2**40) == expected
    assert await store.read_hours([A], HOUR, HOUR + 3600) == [hours[2]]
    assert await store.read_hours([A, C], HOUR, HOUR + 3600) == [hours[2], hours[0]]
    assert await store.read_hours([MachineKey("nobody", "none")], 0, 2**40) == []
    assert await store.read_hours([], 0, 2**40) == []


async def test_an_hour_is_replaced_field_by_field(store: Store) -> None:
    await store.write_hours([bucket(A, HOUR), bucket(A, HOUR + 3600)])
    changed = bucket(
        A, HOUR, energy_wh=None, pieces=None, power_max_w=None, basis="none", segments=((0, 6),), readings=0,
        energy_by_state=None, metered_s=0.0,
    )  # fmt: skip
    await store.write_hours([bucket(A, HOUR, pieces=99), changed])
    assert await store.read_hours([A], 0, 2**40) == [changed, bucket(A, HOUR + 3600)]
    await store.write_hours([bucket(A, HOUR)])
    assert await store.read_hours([A], HOUR, HOUR + 1) == [bucket(A, HOUR)]


async def test_the_newest_document_wins_in_whatever_order_they_come(store: Store) -> None:
    versions = [document(A, "outlook", at, f'{{"at":{at}}}') for at in (5, 9, 7)]
    for order in itertools.permutations(versions):
        await store.write_documents(order)
        assert await store.read_documents("outlook") == [versions[1]]
    await store.write_documents([versions[0]])
    assert await store.read_documents("outlook") == [versions[1]]
    corrected = document(A, "outlook", 9, "{}")
    await store.write_documents([corrected])
    assert await store.read_documents("outlook") == [corrected]


async def test_a_withdrawn_document_is_not_read_and_may_come_back(store: Store) -> None:
    await store.write_documents([document(A, "finding/low", 1, "{}"), document(B, "finding/low", 1, "{}")])
    await store.write_documents([document(A, "finding/low", 2, "")])
    assert await store.read_documents("finding") == [document(B, "finding/low", 1, "{}")]
    await store.write_documents([document(A, "finding/low", 1, '"late"')])
    assert await store.read_documents("finding") == [document(B, "finding/low", 1, "{}")]
    await store.write_documents([document(A, "finding/low", 3, '"back"')])
    assert [found.body for found in await store.read_documents("finding")] == ['"back"', "{}"]


async def test_a_kind_has_those_below_it_and_no_other(store: Store) -> None:
    network = Document(member="", machine="", kind="worker", at=3, body='{"watermark":1}')
    member = Document(member="alpha", machine="", kind="note", at=3, body='{"x":1}')
    kinds = ["finding", "finding/low", "finding/low/er", "findings", "finding-x/low", "find"]
    await store.write_documents([network, member, *(document(C, kind, 1, f'"{kind}"') for kind in kinds)])
    await store.write_documents([document(A, "finding/low", 1, "{}")])
    found = await store.read_documents("finding")
    assert [(doc.member, doc.kind) for doc in found] == [
        ("alpha", "finding/low"), ("beta", "finding"), ("beta", "finding/low"), ("beta", "finding/low/er"),
    ]  # fmt: skip
    assert [doc.kind for doc in await store.read_documents("finding/low", "beta")] == ["finding/low", "finding/low/er"]
    assert await store.read_documents("finding", "") == []
    assert await store.read_documents("worker") == [network]
    assert await store.read_documents("worker", "") == [network]
    assert await store.read_documents("note", "alpha") == [member]


async def test_a_long_document_with_everything_in_it(store: Store) -> None:
    body = '{"text": "' + "é\\n\\\"'🦀,= " * 20_000 + '"}'
    await store.write_documents([document(A, "outlook", 1, body)])
    assert (await store.read_documents("outlook"))[0].body == body
