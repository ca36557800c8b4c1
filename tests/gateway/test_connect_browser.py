"""``/connect`` in headless Chromium: devices appear by themselves, a form being filled in stays, a claim is live."""

import json
import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, expect

from tests.gateway import world
from tests.gateway.running import Running
from tests.gateway.test_connect import BOOTH, PAGE, device, plug

pytestmark = pytest.mark.browser
OTHER = "m/alsalac/tour-9/tele/SENSOR"


async def said(gateway: Running, *devices: dict[str, object]) -> None:
    body = {"at": 0, "total": len(devices), "devices": list(devices)}
    await gateway.publish("net/v1/unclaimed/alsalac", json.dumps(body).encode(), retain=True)


async def test_devices_appear_and_a_form_being_filled_in_stays(gateway: Running, chromium: Browser) -> None:
    page = await chromium.new_page(locale="fr-FR")
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(gateway.url + PAGE)
    await expect(page.locator("[data-live-note]")).to_be_visible()
    await expect(page.locator(".devices .empty")).to_be_visible()
    await said(gateway, device(BOOTH, plug(), messages=1))
    card = page.locator(f'[data-device="{BOOTH}"]')
    await expect(card).to_be_visible()
    await expect(page.locator(".devices .empty")).to_have_count(0)
    await card.locator("input[name=name]").fill("Cabine d")
    await card.locator("select[name=trade]").select_option("laser")
    await said(gateway, device(BOOTH, plug("NaN"), messages=2), device(OTHER, plug(9000)))
    await expect(card.locator(".trouble")).to_contain_text("ENERGY.Power")
    await expect(page.locator(f'[data-device="{OTHER}"]')).to_be_visible()
    await expect(card.locator("input[name=name]")).to_have_value("Cabine d")
    await expect(card.locator("select[name=trade]")).to_have_value("laser")
    assert complaints == []


async def test_a_claim_is_live_at_its_first_reading(gateway: Running, chromium: Browser) -> None:
    await said(gateway, device(BOOTH, plug()))
    page = await chromium.new_page(locale="fr-FR")
    await page.goto(gateway.url + PAGE)
    await page.locator(f'[data-device="{BOOTH}"] input[name=name]').fill("Cabine 3")
    await page.get_by_role("button", name="Rattacher à cette machine").click()
    await expect(page.locator("#claimed-title")).to_have_text("Cabine 3")
    await expect(page.locator("[data-live-note]")).to_be_visible()
    await expect(page.locator("#calibration .banner")).to_be_visible()
    await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-3", datetime.now(UTC), power_w=3120.0))
    await expect(page.locator("[data-power-of]")).to_have_text("3,1\u202fkW")
    await expect(page.locator("#calibration .banner")).to_have_count(0)
    await gateway.publish("net/v1/touched/alsalac", world.touched("cabine-3", datetime.now(UTC), power_w=3220.0))
    await expect(page.locator("#calibration [data-power]")).to_have_text("3,2\u202fkW")
    # another machine's power is never shown as what would be marked here
    at = datetime.now(UTC)
    await gateway.publish("net/v1/touched/alsalac", world.touched("muette", at, power_w=777.0))
    came = re.compile(re.escape(f"{at.astimezone(world.ZONE):%Y-%m-%dT%H:%M:%S}"))
    await expect(page.locator('[data-age-of="alsalac.muette"] time')).to_have_attribute("datetime", came)
    await expect(page.locator("#calibration [data-power]")).to_have_text("3,2\u202fkW")
    await page.get_by_role("button", name="En production").click()
    await expect(page.locator("#calibration [role=status]")).to_contain_text("3,2\u202fkW")
    await expect(page).to_have_url(re.compile(r"/connect\?member=alsalac"))


async def test_it_works_without_javascript(gateway: Running, chromium: Browser) -> None:
    await said(gateway, device(BOOTH, plug()))
    context = await chromium.new_context(java_script_enabled=False, locale="fr-FR")
    page = await context.new_page()
    await page.goto(gateway.url + PAGE)
    await page.click("form.claim button")
    await expect(page.locator("body")).to_contain_text("Donnez un nom à la machine")
    await page.locator("input[name=name]").fill("Cabine 3")
    await page.click("form.claim button")
    await page.locator(".claimed .undo summary").click()
    await page.locator(".claimed .undo button").click()
    await expect(page.locator("body")).to_contain_text("La machine est retirée.")
    await page.locator("#new summary").click()
    await page.select_option("#new-family", "sparkplug")
    await page.fill("#new-device", "presse-2")
    await page.get_by_role("button", name="Voir la fiche").click()
    await expect(page.locator("body")).to_contain_text("Group ID")
    await context.close()
