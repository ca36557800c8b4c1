"""Nobody learns what the owner did not show: canaries of one member never reach another party."""

import json

import pytest

from fleet import edit
from fleet.batch import MachineKey
from gateway.access import opaque
from tests.gateway.running import Running

SECRETS = ("CANARI", "Canariville", "secret", "tour-1")
PATHS = (
    "/",
    "/?audience=network",
    "/?all=1",
    "/requests",
    "/api/v1/offers",
    "/metrics",
    "/healthz",
    "/readyz",
    "/network",
    "/api/v1/network",
    "/openapi.json",
)


def without_demo_bar(html: str) -> str:
    """The bar of the demo lists every member, so that the visitor can be each of them."""
    return html.split("</aside>")[-1]


@pytest.mark.parametrize("role", ["coordinator", "startup", "owner:declare"])
async def test_no_canary_in_anything_another_party_obtains(gateway: Running, role: str) -> None:
    visitor = gateway.as_visitor(role)
    for path in PATHS:
        async with visitor.client.get(
            visitor.url + path, cookies=visitor.cookies, headers={"Accept-Language": "fr"}
        ) as answer:
            text = without_demo_bar(await answer.text())
        for secret in SECRETS:
            assert secret not in text, f"{path} as {role} tells {secret}"


@pytest.mark.parametrize(
    "path",
    [
        "/machines/secret/tour-1",
        "/machines/secret.tour-1",
        "/machines/tour-1",
        "/home?member=secret",
        "/machines/secret/tour-1/strip/24h",
        "/api/v1/machines?member=secret",
        "/api/v1/machines/secret/tour-1",
        "/api/v1/machines/secret/tour-1/hours",
        "/api/v1/findings?member=secret",
        "/events?machine=secret.tour-1",
        "/events?member=secret",
    ],
)
async def test_foreign_and_missing_answer_alike(gateway: Running, path: str) -> None:
    for role in ("coordinator", "operator", "startup", "owner:alsalac"):
        visitor = gateway.as_visitor(role)
        foreign = without_demo_bar(await visitor.get(path, 404))
        missing = without_demo_bar(
            await visitor.get(path.replace("secret", "nobody").replace("tour-1", "nothing"), 404)
        )
        assert foreign.replace("secret", "nobody").replace("tour-1", "nothing").split("<footer>")[0] == missing.split(
            "<footer>"
        )[0].replace("secret", "nobody")


async def test_only_the_owner_answers_its_flags(gateway: Running) -> None:
    fields = {"member": "alsalac", "machine": "laser-1", "rule": "structural-underuse", "answer": "propose"}
    for role in ("coordinator", "owner:declare", "operator", "startup"):
        await gateway.as_visitor(role).post("/home/answer", 404, **fields)


async def test_the_network_edition_has_neither_names_nor_progress(gateway: Running) -> None:
    html = without_demo_bar(await gateway.as_visitor("coordinator").get("/?audience=network"))
    assert html.count('class="offer"') == 1
    assert "Alsalac" not in html
    assert "Cabine de peinture" not in html
    assert "Noter la suite" not in html
    page = without_demo_bar(await gateway.as_visitor("coordinator").get("/"))
    printed = page.split('<section class="only-print">')[1]
    assert printed.count('class="offer"') == 1
    assert "Alsalac" not in printed


async def test_an_exclusion_keeps_the_offer_off_the_committees_table(gateway: Running) -> None:
    edit.set_consent(
        gateway.fleet.folder,
        "alsalac",
        {
            "machine": "cabine-1",
            "recipient": "member:declare",
            "level": "none",
            "purpose": "concurrent",
            "since": gateway.now.date(),
        },
    )
    seen = [1]

    async def offers() -> None:
        seen[0] = len(json.loads(await gateway.as_visitor("owner:declare").get("/api/v1/offers")))

    for _ in range(600):
        await offers()
        if seen[0] == 0:
            break
    assert seen[0] == 0
    assert (await gateway.get("/?audience=network")).count('class="offer"') == 0


async def test_withdrawn_consent_empties_page_and_api(gateway: Running) -> None:
    assert "Mme Keller" in await gateway.get("/")
    for recipient in ("coordinator", "members"):
        edit.set_consent(
            gateway.fleet.folder,
            "alsalac",
            {
                "machine": "cabine-1",
                "recipient": recipient,
                "level": "none",
                "purpose": "retrait",
                "since": gateway.now.date(),
            },
        )
    texts = ["Mme Keller"]

    async def gone() -> bool:
        texts[0] = await gateway.get("/") + await gateway.get("/api/v1/offers")
        return "Mme Keller" not in texts[0]

    for _ in range(600):
        if await gone():
            break
    assert "Mme Keller" not in texts[0]


async def test_no_raw_figure_reaches_the_coordinator(gateway: Running) -> None:
    offers = json.loads(await gateway.as_visitor("coordinator").get("/api/v1/offers"))
    assert {offer["kind"] for offer in offers} == {"measured", "declared"}
    for offer in offers:
        assert set(offer) == {
            "id", "trade", "commune", "mode", "kind", "member", "machine", "contact", "attributes", "windows", "hours",
            "since", "new", "status",
        }  # fmt: skip
        assert all(window["chance"] in (9, 8, 6) for window in offer["windows"])
        if offer["kind"] == "declared":
            assert offer["windows"] == []


async def test_offer_ids_tell_nothing_and_unknown_ones_are_hidden(gateway: Running) -> None:
    await gateway.post("/offers/0123", 404, status="done")
    hidden = opaque(MachineKey("secret", "tour-1"))
    await gateway.post(f"/offers/{hidden}", 404, status="done")
