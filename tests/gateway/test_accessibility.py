"""Every page against the rules of WCAG 2.2 AA that a program can judge: axe-core in headless Chromium."""

import json
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from fleet import edit
from fleet.records import Document, FindingStatus
from store.base import Store
from tests.gateway import world
from tests.gateway.running import Running, until_text
from tests.gateway.test_browser import PAGES
from tests.gateway.test_connect import BOOTH, PAGE, device, heard, plug
from tests.gateway.test_reasons import finding

pytestmark = pytest.mark.browser
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def violations(page: Page) -> list[str]:
    """Rule, page and element of each violation."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate(f"axe.run({{runOnly: {json.dumps(RULES)}}})")
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


async def untold(gateway: Running, store: Store) -> None:
    """A machine whose state cannot be inferred, and of which one rule cannot conclude anything and another flags."""
    edit.add_machine(gateway.fleet.folder, "alsalac", {"id": "neuve", "name": "Fraiseuse", "trade": "machining"})
    changes = {"member": "alsalac", "machine": "neuve", "basis": "none", "state": "UNKNOWN", "untold": "close"}
    outlook = world.outlook(gateway.now).model_copy(update=changes)
    found = [
        finding(rule, status, "neuve").model_copy(update={"reason": reason})
        for rule, status, reason in (
            ("degrading-coverage", FindingStatus.FLAGGED, ""),
            ("overload", FindingStatus.INSUFFICIENT_EVIDENCE, "state"),
            ("structural-underuse", FindingStatus.INSUFFICIENT_EVIDENCE, "life"),
        )
    ]
    bodies = [("outlook", outlook.model_dump_json())]
    bodies += [(f"finding/{one.rule}", one.model_dump_json()) for one in found]
    await store.write_documents(
        Document(member="alsalac", machine="neuve", kind=kind, at=1, body=body) for kind, body in bodies
    )
    await gateway.publish("net/v1/health/analytics", world.health("analytics", gateway.now))
    await until_text(gateway, "/machines/alsalac/neuve", "On ne peut pas conclure pour 2 règles.")


async def test_no_page_violates_a_rule(gateway: Running, store: Store, chromium: Browser) -> None:
    await untold(gateway, store)
    await heard(gateway, device(BOOTH, plug("NaN")), device("m/alsalac/x/y", b"<b>?</b>"))
    page = await chromium.new_page(locale="fr-FR")
    found: dict[str, list[str]] = {}
    for path in (*PAGES, PAGE):
        await page.goto(gateway.url + path)
        for width in (1440, 360):
            await page.set_viewport_size({"width": width, "height": 900})
            found[f"{path} at {width}"] = await violations(page)
    await page.goto(gateway.url + "/machines/alsalac/neuve")
    await page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    for width in (1440, 360):
        await page.set_viewport_size({"width": width, "height": 900})
        found[f"a machine whose state is not inferred, all open, at {width}"] = await violations(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.goto(gateway.url + PAGE)
    await page.locator(".device summary").first.click()
    found["a card that is open"] = await violations(page)
    await page.get_by_role("button", name="Rattacher à cette machine").first.click()
    await page.locator("[aria-invalid]").first.wait_for()
    found["a form with an error"] = await violations(page)
    assert {path: rules for path, rules in found.items() if rules} == {}
