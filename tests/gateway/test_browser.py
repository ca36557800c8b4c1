"""What a person's browser makes of the pages: headless Chromium, real server, real broker."""

import asyncio
import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.gateway import world
from tests.gateway.running import Running
from tests.patience import PATIENCE_S

CHROMIUM = "/usr/bin/chromium"
PAGES = (
    "/",
    "/?audience=network",
    "/?all=1&km=200&size=6x3&attribute=oven_c&least=80",
    "/requests",
    "/home",
    "/home?member=alsalac",
    "/machines/alsalac/cabine-1",
    "/machines/alsalac/laser-1",
    "/connect",
    "/connect?member=alsalac&claimed=cabine-1",
    "/connect/new?member=alsalac&family=tasmota&device=cabine-3",
    "/network",
    "/nothing",
)

pytestmark = pytest.mark.browser
expect.set_options(timeout=PATIENCE_S * 1000)


def watched(page: Page, url: str) -> list[str]:
    """Complaints of the page from now on: console errors, exceptions, requests to anyone else."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith((url, "data:")) else complaints.append(asked.url))
    return complaints


@pytest.mark.parametrize("width", [360, 768, 1440])
async def test_pages_render_without_a_complaint_and_without_horizontal_scroll(
    gateway: Running, chromium: Browser, width: int
) -> None:
    for locale in ("fr-FR", "de-DE", "en-GB"):
        context = await chromium.new_context(viewport={"width": width, "height": 900}, locale=locale)
        page = await context.new_page()
        complaints = watched(page, gateway.url)
        for path in PAGES:
            answer = await page.goto(gateway.url + path)
            assert answer is not None
            assert answer.status == (404 if path == "/nothing" else 200)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} in {locale} is {wide} px wide on a screen of {width}"
        assert [said for said in complaints if "404" not in said] == []
        await context.close()


async def test_a_new_state_appears_by_itself(gateway: Running, chromium: Browser) -> None:
    page = await chromium.new_page(locale="fr-FR")
    await page.goto(gateway.url + "/machines/alsalac/cabine-1")
    await expect(page.locator("[data-live-note]")).to_be_visible()
    await gateway.publish(
        "net/v1/touched/alsalac", world.touched("cabine-1", datetime.now(UTC), state="MAINTENANCE", power_w=100.0)
    )
    await expect(page.locator("[data-state-text]")).to_have_text("en maintenance")
    await expect(page.locator("[data-state-chip] svg text")).to_have_text("M")


async def test_a_silent_machine_that_speaks_again_loses_its_mark(gateway: Running, chromium: Browser) -> None:
    page = await chromium.new_page(locale="fr-FR")
    await page.goto(gateway.url + "/home?member=alsalac")
    line = page.locator('[data-machine="alsalac.muette"]')
    await expect(line.locator("[data-silent]")).to_be_visible()
    await expect(page.locator("[data-live-note]")).to_be_visible()
    await gateway.publish("net/v1/touched/alsalac", world.touched("muette", datetime.now(UTC), state="STANDBY"))
    await expect(line.locator("[data-state-text]")).to_have_text("en attente, sous tension")
    await expect(line.locator("[data-silent]")).to_be_hidden()


async def test_forms_work_without_javascript(gateway: Running, chromium: Browser) -> None:
    context: BrowserContext = await chromium.new_context(java_script_enabled=False, locale="fr-FR")
    page = await context.new_page()
    await page.goto(gateway.url + "/")
    await page.select_option("#f-trade", "paint")
    await page.click(".filters button")
    await expect(page).to_have_url(re.compile(r"\btrade=paint\b"))
    card = page.locator(".offers > li").first
    await card.locator("summary", has_text="Noter la suite").click()
    await card.locator("select[name=status]").select_option("reserved")
    await card.locator("input[name=next_action]").fill("signer")
    await card.locator("form button").click()
    await expect(page).to_have_url(re.compile("#o-"))
    await expect(page.locator("strong.step-reserved", has_text="réservée").first).to_be_visible()
    await page.select_option("#visit", "owner:alsalac")
    await page.click(".demo button")
    await expect(page).to_have_url(re.compile("/home$"))
    await page.click("text=Garder en réserve >> nth=0")
    await expect(page.locator("#answered")).to_have_count(1)
    await context.close()


async def test_paper_shows_what_the_network_may_see(gateway: Running, chromium: Browser) -> None:
    page = await chromium.new_page(locale="fr-FR")
    await page.goto(gateway.url + "/")
    await page.emulate_media(media="print")
    shown = await page.evaluate("document.body.innerText")
    assert "Édition pour le réseau" in shown
    assert "Alsalac" not in shown
    assert "Cabine de peinture" not in shown
    assert "à appeler" not in shown


async def test_keyboard_reaches_content_and_definitions(gateway: Running, chromium: Browser) -> None:
    page = await chromium.new_page(locale="fr-FR")
    await page.goto(gateway.url + "/machines/alsalac/cabine-1")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    await page.locator(".def").first.focus()
    await expect(page.locator(".def [role=tooltip]").first).to_be_visible()


async def test_the_strip_renews_itself(gateway: Running, chromium: Browser) -> None:
    page = await chromium.new_page(locale="fr-FR")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.clock.install()
    await page.goto(gateway.url + "/machines/alsalac/cabine-1")
    await page.clock.fast_forward(20_000)
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            if any(url.endswith("/strip/24h") for url in asked):
                break
            await asyncio.sleep(0.05)
