"""What one button does to a machine on ``/connect``: take a device's topic, say kilowatts, give the device back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response

from fleet import claim, edit
from fleet.batch import MachineKey
from fleet.topics import reading_topic
from gateway import devices
from gateway.access import Audience, Hidden
from gateway.pages.home import change
from gateway.web import Page, page_of

router = APIRouter(include_in_schema=False)
Text = Annotated[str, Form(max_length=600)]


@router.post("/connect/take")
async def take(page: Annotated[Page, Depends(page_of)], member: Text, machine: Text, topic: Text) -> Response:
    """The device is that of a machine which waits elsewhere: the machine listens there, and keeps all else it has.

    Raises:
        Hidden: no such machine, or no device waits there that a format reads.
    """
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    groups, _ = devices.waiting(scope)
    group = next((group for group in groups if group.device.topic == topic and group.guess is not None), None)
    if group is None or group.guess is None:
        raise Hidden(topic)
    found = group.proposal(group.guess.format, group.guess.channel)
    [feed] = claim.proposed_fields(own.member, found, own.machine.name, {})["feeds"]
    await change(page.site, lambda: edit.replace_feeds(page.site.config.fleet_dir, own.key, feed))
    page.site.claimed[own.key] = group.device
    return RedirectResponse(f"/connect?member={member}&claimed={machine}#claimed", 303)


@router.post("/connect/unit")
async def unit_is_kw(page: Annotated[Page, Depends(page_of)], member: Text, machine: Text) -> Response:
    """The device sends kilowatts: they are watts from its next message on."""
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    feed = {"topic": reading_topic(member, machine), "format": "canonical"}
    if own.machine.feeds:
        feed = own.machine.feeds[0].model_dump(include={"topic", "channel"}, exclude_none=True)
    await change(page.site, lambda: edit.set_feed(page.site.config.fleet_dir, own.key, {**feed, "scale_w": 1000.0}))
    return RedirectResponse(f"/connect?member={member}&claimed={machine}#claimed", 303)


@router.post("/connect/release")
async def release(page: Annotated[Page, Depends(page_of)], member: Text, machine: Text) -> Response:
    """Take a claim back: the device is without a machine again from its next message on."""
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    await change(page.site, lambda: claim.release(page.site.config.fleet_dir, own.key))
    page.site.claimed.pop(own.key, None)
    return RedirectResponse(f"/connect?member={member}&released=1#devices", 303)
