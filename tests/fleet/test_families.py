"""What to type into each family of device: never a field without a word, never another member's topic."""

import pytest

from fleet.families import CERTIFIED, FAMILIES, Device, Note, sheet, sheet_with_certificate

DEVICE = Device("zorn", "cabine-1", "zorn.cabine-1", "secret", "mqtt.example.org", 8883, True)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_has_its_fields_and_a_feed_below_its_member(family: str) -> None:
    found = sheet(family, DEVICE)
    assert found.topic.startswith(("m/zorn/", "spBv1.0/zorn/"))
    assert Note.ONE in found.notes
    assert len({name for name, _ in found.fields}) == len(found.fields)
    typed = " ".join(value for _, value in found.fields)
    if family != "shelly-gen1":  # it logs in at its plant's relay
        assert "secret" in typed
        assert "mqtt.example.org" in typed
        assert "zorn.cabine-1" in typed
    assert "zorn" in typed or family == "shelly-gen1"


@pytest.mark.parametrize("family", CERTIFIED)
def test_a_certificate_takes_the_place_of_the_password(family: str) -> None:
    bare = Device("zorn", "cabine-1", "", "", "mqtt.example.org", 8884, True)
    found = sheet_with_certificate(family, bare, "a.crt", "a.key")
    assert [value for _, value in found.fields][-2:] == ["a.crt", "a.key"]
    assert Note.CERTIFICATE in found.notes


@pytest.mark.parametrize("family", FAMILIES)
def test_a_broker_without_logins_leaves_them_empty(family: str) -> None:
    fields = dict(sheet(family, Device("zorn", "cabine-1", "", "", "127.0.0.1", 1884, False)).fields)
    for name, value in fields.items():
        if name.lower().replace("mqtt.", "") in ("user", "username", "password", "mqttusername", "mqttpassword"):
            assert value in ("", "cabine-1"), name
    assert "None" not in " ".join(fields.values())


def test_tasmota_can_take_it_all_in_one_line() -> None:
    line = dict(sheet("tasmota", DEVICE).fields)["or all of it in the console"]
    assert "MqttUser zorn.cabine-1; MqttPassword secret; Topic cabine-1; FullTopic m/zorn/%topic%/%prefix%/;" in line
    assert "Timezone 99" in line
