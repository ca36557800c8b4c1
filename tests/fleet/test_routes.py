"""Topics to machines."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import registry
from fleet.checks import filter_is_valid
from fleet.routes import Routes

FEEDS = """
[[machines]]
id = "presse"
name = "Presse"
feeds = [
  { topic = "m/dupont/boitier/status", format = "shelly", channel = "switch:0", scale_w = 1000.0, timezone = "UTC" },
  { topic = "m/dupont/zb/#", format = "zigbee2mqtt" },
  { topic = "spBv1.0/dupont/+/noeud/presse", format = "sparkplug" },
]

[[machines]]
id = "laser"
name = "Laser"
feeds = [
  { topic = "m/dupont/boitier/status", format = "shelly", channel = "switch:1" },
  { topic = "m/dupont/zb/+/laser", format = "zigbee2mqtt" },
  { topic = "m/dupont/laser/reading", format = "other" },
  { topic = "m/dupont/zb/hall/special", format = "tasmota" },
]
"""


@pytest.fixture
def routes(folder: Path) -> Routes:
    path = folder / "members" / "dupont.toml"
    path.write_text(path.read_text() + FEEDS)
    loaded = registry.load(folder)
    assert loaded.problems == ()
    return loaded.routes()


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("m/dupont/four/reading", [("four", "canonical", None)]),
        ("m/ulm/tour/reading", [("tour", "canonical", None)]),
        ("m/dupont/prise-1/tele/SENSOR", [("cabine-1", "tasmota", None)]),
        ("m/dupont/boitier/status", [("presse", "shelly", "switch:0"), ("laser", "shelly", "switch:1")]),
        ("m/dupont/zb/hall/x", [("presse", "zigbee2mqtt", None)]),
        ("m/dupont/zb", [("presse", "zigbee2mqtt", None)]),
        ("m/dupont/zb/hall/laser", [("laser", "zigbee2mqtt", None)]),
        ("m/dupont/zb/hall/special", [("laser", "tasmota", None)]),
        ("m/dupont/laser/reading", [("laser", "other", None)]),
        ("spBv1.0/dupont/DDATA/noeud/presse", [("presse", "sparkplug", None)]),
        ("spBv1.0/dupont/DDATA/noeud/autre", []),
        ("m/dupont/absente/reading", []),
        ("m/ulm/four/reading", []),
        ("net/v1/health/ingest", []),
        ("", []),
    ],
)
def test_a_topic_finds_its_machines(routes: Routes, topic: str, found: list[tuple[str, str, str | None]]) -> None:
    for _ in range(2):  # the second time from memory
        assert [(route.machine, route.format, route.channel) for route in routes.lookup(topic)] == found


def test_a_route_carries_what_a_decoder_needs(routes: Routes) -> None:
    first, second = routes.lookup("m/dupont/boitier/status")
    assert (first.timezone.key, first.scale_w, first.every, first.key) == ("UTC", 1000.0, 300.0, ("dupont", "presse"))
    assert (second.timezone.key, second.scale_w) == ("Europe/Paris", 1.0)
    (tour,) = routes.lookup("m/ulm/tour/reading")
    assert (tour.timezone.key, tour.every) == ("Europe/Berlin", 60.0)


def test_memory_for_topics_is_bounded(routes: Routes) -> None:
    for number in range(70_000):
        routes.lookup(f"m/dupont/{number}")
    assert len(routes._seen) <= 65_536
    assert routes.lookup("m/ulm/tour/reading")


@pytest.mark.parametrize(
    ("pattern", "valid"),
    [("m/a/#", True), ("m/a/+/x", True), ("m/a/x#", False), ("m/a/#/x", False), ("m/a/x+", False), ("m/a/x", True)],
)
def test_filters_follow_mqtt(pattern: str, *, valid: bool) -> None:
    assert filter_is_valid(pattern) is valid


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_topic_has_an_answer(topic: str) -> None:
    assert Routes([]).lookup(topic) == ()
