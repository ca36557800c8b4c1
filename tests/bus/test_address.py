"""Broker addresses: one URL, never showing its password."""

from pathlib import Path

import pytest

from bus.address import BrokerAddress


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mqtt://127.0.0.1", BrokerAddress("127.0.0.1", 1883)),
        ("mqtts://broker.example", BrokerAddress("broker.example", 8883, tls=True)),
        ("mqtt://u:p%40ss%3A@[::1]:99/", BrokerAddress("::1", 99, "u", "p@ss:")),
        ("mqtt://member.device@h", BrokerAddress("h", 1883, "member.device")),
        ("mqtts://h?ca=a.pem", BrokerAddress("h", 8883, tls=True, ca_file=Path("a.pem"))),
        (
            "mqtts://h?cert=c.pem&key=k.pem",
            BrokerAddress("h", 8883, tls=True, cert_file=Path("c.pem"), key_file=Path("k.pem")),
        ),
    ],
)
def test_what_an_address_says(text: str, address: BrokerAddress) -> None:
    assert BrokerAddress.parse(text) == address


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("localhost:1883", "scheme 'localhost' is neither"),
        ("http://h", "scheme 'http' is neither"),
        ("mqtt://", "no host"),
        ("mqtt://u:secret@h:99999", "port"),
        ("mqtt://u:secret@h:0", "port"),
        ("mqtt://h:x", "port"),
        ("mqtt://h/topic", "'/topic' after the port"),
        ("mqtt://h?ca=x", "needs mqtts"),
        ("mqtts://h?color=red", "'color' is none of"),
        ("mqtts://h?ca=", "exactly one"),
        ("mqtts://h?key=k", "needs 'cert'"),
    ],
)
def test_what_is_wrong_is_named_and_the_password_is_not(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="broker address") as caught:
        BrokerAddress.parse(text)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


def test_no_text_form_shows_the_password() -> None:
    address = BrokerAddress.parse("mqtts://user:secret@[::1]:8884")
    assert str(address) == "mqtts://user:***@[::1]:8884"
    assert "secret" not in repr(address)
    assert str(BrokerAddress.parse("mqtt://h")) == "mqtt://h:1883"
