"""``/connect/new``: the sheet of each family of device, and a login that is made there and shown once."""

import itertools
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bus import login_requests, logins
from bus.login_requests import MOST
from fleet import edit
from fleet.families import FAMILIES
from gateway.pages import connect_new
from gateway.web import LANGUAGE_COOKIE
from tests.gateway.running import Running, Starter, until_text


async def test_each_family_has_its_sheet(gateway: Running) -> None:
    for language, family in itertools.product(("fr", "de", "en"), FAMILIES):
        html = await gateway.get(f"/connect/new?member=alsalac&family={family}&device=cabine-3", language=language)
        assert html.count("cabine-3") > 2
        assert "alsalac" in html.split("<tbody>")[1] or family == "shelly-gen1"
    html = await gateway.get("/connect/new?member=alsalac&device=É")
    assert "Des lettres minuscules sans accent" in html
    assert "Full Topic" not in html


async def test_without_the_brokers_files_it_says_the_command(start: Starter) -> None:
    running = await start(past=False, logins=None)
    html = await running.get("/connect/new?member=alsalac&family=tasmota&device=cabine-3")
    assert "resilian device add alsalac cabine-3 --family tasmota --broker mqtt://127.0.0.1:" in html
    await running.post("/connect/new", 422, member="alsalac", device="cabine-3")


async def test_a_login_is_made_and_shown_once(start: Starter, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    running = await start(past=False, logins=folder)
    asked = {"member": "alsalac", "family": "tasmota", "device": "cabine-3"}
    before = await running.get("/connect/new?member=alsalac&family=tasmota&device=cabine-3")
    assert "Créer l’identifiant alsalac.cabine-3" in before
    assert "Backlog" not in before  # the line for the console is whole, with its password, or not there
    html = await running.post("/connect/new", 200, None, **asked)
    password = html.split("Mot de passe</dt><dd><code>")[1].split("<")[0]
    assert len(password) >= 22
    assert f"MqttPassword {password};" in html
    kept = (folder / "passwd").read_text()
    assert kept.startswith("alsalac.cabine-3:$7$")
    assert password not in kept
    assert "topic write m/alsalac/#" in (folder / "acl").read_text()
    assert "Le courtier l’accepte dans quelques secondes." in html
    assert "docker" not in html
    assert password not in await running.get("/connect/new?member=alsalac&family=tasmota&device=cabine-3")
    assert "Cet identifiant existe déjà" in await running.post("/connect/new", 422, None, **asked)
    assert "Des lettres minuscules" in await running.post("/connect/new", 422, None, **{**asked, "device": "a/#"})
    assert (folder / "passwd").read_text() == kept


class Maker:
    """``deploy/logins`` in a thread of the test; the broker's files lie where the gateway does not look."""

    def __init__(self, folder: Path) -> None:
        self.requests, self.broker = folder / "requests", folder / "broker"
        for place in (self.requests, self.broker):
            place.mkdir()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Maker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        login_requests.serve(self.requests, self.broker)
        while not self._stop.wait(0.05):
            login_requests.serve(self.requests, self.broker)


async def test_a_login_is_asked_for_where_the_brokers_files_are_out_of_reach(start: Starter, tmp_path: Path) -> None:
    asked = {"member": "alsalac", "family": "tasmota", "device": "cabine-3"}
    with Maker(tmp_path) as maker:
        running = await start(past=False, requests=maker.requests)
        sheet = await until_text(running, "/connect/new?member=alsalac&family=tasmota&device=cabine-3", "Créer")
        assert "resilian device add" not in sheet
        html = await running.post("/connect/new", 200, None, **asked)
        password = html.split("Mot de passe</dt><dd><code>")[1].split("<")[0]
        assert f"MqttPassword {password};" in html
        kept = logins.read(maker.broker)
        assert list(kept) == ["alsalac.cabine-3"]
        assert "topic write m/alsalac/#" in (maker.broker / "acl").read_text()
        assert "Cet identifiant existe déjà" in await running.post("/connect/new", 422, None, **asked)
        await running.post("/connect/new", 404, None, **{**asked, "member": "ghost"})
        assert logins.read(maker.broker) == kept
        (maker.broker / ".passwd.new").mkdir()
        html = await running.post("/connect/new", 503, None, **{**asked, "device": "cabine-4"})
        assert "fichiers du courtier ne peuvent pas être écrits" in html


async def test_where_nobody_makes_logins_the_page_says_so_and_asks_for_none(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, asked = tmp_path / "requests", {"member": "alsalac", "family": "tasmota", "device": "cabine-3"}
    requests.mkdir()
    running = await start(past=False, requests=requests)
    assert "resilian device add alsalac cabine-3" in await running.get(
        "/connect/new?member=alsalac&family=tasmota&device=cabine-3"
    )
    html = await running.post("/connect/new", 503, None, **asked)
    assert "Le programme qui crée les identifiants ne répond pas" in html
    monkeypatch.setattr(connect_new, "PATIENCE_S", 0.5)
    (requests / ".alive").touch()  # it looked a moment ago, and ends before it looks again
    html = await running.post("/connect/new", 503, None, **asked)
    assert "Le programme qui crée les identifiants ne répond pas" in html
    assert [path.name for path in requests.iterdir()] == [".alive"]  # withdrawn: none is made for nobody later


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "fr",
            "Le courtier a déjà 10\u202f000 identifiants, cette page n’en crée pas davantage\u00a0:"
            " demandez à l’exploitant.",
        ),
        ("de", "Der Broker hat schon 10.000 Kennungen, mehr legt diese Seite nicht an: fragen Sie den Betreiber."),
        ("en", "The broker has 10,000 logins already, this page makes no more: ask the operator."),
    ],
)
async def test_a_broker_that_has_all_it_takes_is_not_told_as_the_firms_own_limit(
    start: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    monkeypatch.setattr(login_requests, "MOST_OF_ALL", 0)
    with Maker(tmp_path) as maker:
        running = replace(await start(past=False, requests=maker.requests), cookies={LANGUAGE_COOKIE: language})
        assert said in await running.post("/connect/new", 503, None, member="alsalac", device="cabine-3")


async def test_a_member_gets_no_more_logins_than_its_machines_could_need(start: Starter, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    logins.write(folder, dict.fromkeys((f"alsalac.x-{number}" for number in range(MOST)), "$7$1$a$b"))
    running = await start(past=False, logins=folder)
    html = await running.post("/connect/new", 422, None, member="alsalac", device="un-de-trop")
    assert "Votre entreprise a déjà 200 identifiants" in html
    assert "autofocus" in html
    assert "un-de-trop" not in (folder / "passwd").read_text()
    await running.post("/connect/new", 200, None, member="declare", device="le-premier")


async def test_the_sheet_says_whom_to_ask_for_an_address_that_devices_reach(start: Starter) -> None:
    running = await start(past=False)
    html = await running.get("/connect/new?member=alsalac&device=cabine-3")
    assert "demandez l’adresse publique au bureau du réseau" in html
    assert "network.toml" not in html


async def test_the_networks_own_address_goes_before_the_programs(start: Starter) -> None:
    running = await start(past=False)
    edit.write_network(running.fleet.folder, {"broker": "mqtts://mqtt.example.org"})
    path = "/connect/new?member=alsalac&family=shelly-gen2&device=cabine-3"
    html = await until_text(running, path, "mqtt.example.org:8883")
    assert "joignable que depuis ce serveur" not in html
    assert "Use User TLS (ca.pem)" in html


async def test_no_login_is_made_for_a_member_that_is_not_there(start: Starter, tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    running = await start(past=False, logins=folder)
    await running.post("/connect/new", 404, None, member="ghost", device="cabine-3")
    assert list(folder.iterdir()) == []
