"""URLs of stores: what each names, and what is said of a wrong one."""

import subprocess
import sys

import pytest

from store import connect
from store.duck import DuckStore
from store.influx import InfluxStore


def test_a_file_of_duckdb() -> None:
    store = connect("duckdb:///var/lib/a%20b/store.duckdb")
    assert isinstance(store, DuckStore)
    assert store.path == "/var/lib/a b/store.duckdb"


async def test_duckdb_in_memory() -> None:
    store = connect("duckdb:///:memory:")
    await store.open()
    assert await store.known_machines() == []
    await store.close()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("influxdb+http://localhost:8086?org=net", "http://localhost:8086"),
        ("influxdb+http://db.example/?org=net", "http://db.example:8086"),
        ("influxdb+https://[::1]:443?org=net", "https://[::1]:443"),
    ],
)
def test_an_influxdb(url: str, address: str) -> None:
    store = connect(url, token="secret")
    assert isinstance(store, InfluxStore)
    assert store.address == address


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "duckdb:"),
        ("/var/lib/store.duckdb", "duckdb:"),
        ("sqlite:///a", "influxdb"),
        ("http://localhost:8086?org=net", "influxdb"),
        ("duckdb://relative.duckdb", "duckdb:///absolute"),
        ("duckdb:///", "duckdb:///absolute"),
        ("duckdb:", "duckdb:///absolute"),
        ("influxdb+http://localhost:8086", "add \\?org=NAME"),
        ("influxdb+http://?org=net", "host:port"),
        ("influxdb+http://localhost:port?org=net", "[Pp]ort"),
        ("influxdb+http://localhost:99999?org=net", "[Pp]ort"),
        ("influxdb+http://localhost:8086/path?org=net", "host:port"),
        ("influxdb+http://me:secret@localhost:8086?org=net", "token"),
    ],
)
def test_a_wrong_url_is_told_what_is_wrong(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as error:
        connect(url, token="token")
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_an_influxdb_without_a_token_is_told_so() -> None:
    with pytest.raises(ValueError, match="needs a token"):
        connect("influxdb+http://localhost:8086?org=net")


def test_who_uses_no_influxdb_does_not_load_its_client() -> None:
    code = "import sys, store; store.connect('duckdb:///:memory:'); sys.exit('influxdb_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
