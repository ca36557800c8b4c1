"""Every page against the rules of WCAG 2.2 AA that a program can judge: axe-core in headless Chromium."""

import json
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.gateway.running import Running
from tests.gateway.test_browser import PAGES
from tests.gateway.test_connect import BOOTH, PAGE, device, heard, plug

pytestmark = pytest.mark.browser
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


async def violations(page: Page) -> list[str]:
    """Rule, page and element of each violation."""
    await page.evaluate(AXE)
    found: dict[str, Any] = await page.evaluate(f"axe.run({{runOnly: {json.dumps(RULES)}}})")
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


async def test_no_page_violates_a_rule(gateway: Running, chromium: Browser) -> None:
    await heard(gateway, device(BOOTH, plug("NaN")), device("m/alsalac/x/y", b"<b>?</b>"))
    page = await chromium.new_page(locale="fr-FR")
    found: dict[str, list[str]] = {}
    for path in (*PAGES, PAGE):
        await page.goto(gateway.url + path)
        for width in (1440, 360):
            await page.set_viewport_size({"width": width, "height": 900})
            found[f"{path} at {width}"] = await violations(page)
    await page.locator(".device summary").first.click()
    found["a card that is open"] = await violations(page)
    await page.get_by_role("button", name="Rattacher à cette machine").first.click()
    await page.locator("[aria-invalid]").first.wait_for()
    found["a form with an error"] = await violations(page)
    assert {path: rules for path, rules in found.items() if rules} == {}
