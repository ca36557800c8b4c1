"""docker-compose.yml against the compose specification's schema, and what the schema does not look at."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.main import get_command

from tests.deploy.conftest import ROOT

SPECIFICATION = "github.com/compose-spec/compose-go/v2@v2.16.2"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
EXAMPLE = dict(
    line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line and line[0] != "#"
)


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The specification's own schema, from its Go module."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed: it fetches the schema of the compose specification")
    done = subprocess.run(
        [go, "mod", "download", "-json", SPECIFICATION],
        cwd=tmp_path_factory.mktemp("go"), capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(
            f"the schema of the compose specification cannot be fetched: {done.stdout[-200:]}{done.stderr[-200:]}"
        )
    found: dict[str, Any] = json.loads(
        (Path(json.loads(done.stdout)["Dir"]) / "schema" / "compose-spec.json").read_text()
    )
    return found


def interpolated(value: Any) -> Any:
    """The file as compose reads it with .env.example in force."""
    if isinstance(value, dict):
        return {name: interpolated(item) for name, item in value.items()}
    if isinstance(value, list):
        return [interpolated(item) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: EXAMPLE.get(found[1], found[2] or ""), value).replace("$$", "$")
    return value


def test_it_follows_the_specification(schema: dict[str, Any]) -> None:
    jsonschema.validate(COMPOSE, schema)
    jsonschema.validate(interpolated(COMPOSE), schema)
    broken = json.loads(json.dumps(COMPOSE))
    broken["services"]["ingest"]["healthchek"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_every_variable_has_a_default_and_is_in_the_example() -> None:
    used = VARIABLE.findall((ROOT / "docker-compose.yml").read_text())
    assert {name for name, _ in used} == set(EXAMPLE)
    for name, default in used:
        assert EXAMPLE[name] == default, name


def test_what_is_named_is_there() -> None:
    assert set(COMPOSE["secrets"]) == {name for service in SERVICES.values() for name in service.get("secrets", ())}
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in SERVICES
            assert how["condition"] != "service_healthy" or "healthcheck" in SERVICES[name]
        for volume in service.get("volumes", ()):
            source = interpolated(volume).split(":")[0]
            assert source.startswith("./deploy/")
            if not source.startswith("./deploy/state"):
                assert (ROOT / source).exists(), source


def test_secrets_makes_every_file_and_folder_that_is_mounted(state: Path) -> None:
    sources = [secret["file"] for secret in COMPOSE["secrets"].values()]
    for service in SERVICES.values():
        sources += [volume.rsplit(":/", 1)[0] for volume in service.get("volumes", ())] + service.get("env_file", [])
    kept = [one.removeprefix("${RESILIAN_HOME:-./deploy/state}/") for one in sources if "RESILIAN_HOME" in one]
    assert len(kept) > 15
    for name in kept:
        assert (state / name).exists(), name


def test_images_are_pinned_to_an_exact_version() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[a-z0-9/.-]+:\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", service["image"]), name


def test_nobody_is_root_or_privileged_and_everybody_stays_on_loopback() -> None:
    for name, service in SERVICES.items():
        assert not service.get("privileged"), name
        assert "cap_add" not in service
        assert "ports" not in service
        assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
        assert "no-new-privileges:true" in service["security_opt"]
        assert interpolated(service["user"]) == "10001:10001"
        assert not any("docker.sock" in volume for volume in service.get("volumes", ()))
    assert SERVICES["influxdb"]["environment"]["INFLUXD_HTTP_BIND_ADDRESS"].startswith("127.0.0.1:")
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert "RESILIAN_LISTEN" not in json.dumps(COMPOSE)
    listeners = re.findall(r"^listener .*", (ROOT / "deploy/mosquitto/mosquitto.conf").read_text(), re.MULTILINE)
    assert listeners == ["listener 1883 127.0.0.1"]


def test_no_secret_stands_in_the_file_and_only_those_who_need_one_get_it() -> None:
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / ".env.example").read_text()
    assert not re.search(r"(?i)(password|token)\w*: *(?!.*(/run/secrets|file))\S", text)
    given = {name: set(service.get("secrets", ())) for name, service in SERVICES.items()}
    assert given["grafana"] == {"grafana-admin-password", "grafana-influx-token"}
    assert given["mosquitto"] == given["influxdb"] == set()


def environments() -> Iterator[tuple[str, str]]:
    for service in SERVICES.values():
        if service["image"].startswith("resilian:"):
            yield from interpolated(service.get("environment", {})).items()


def test_settings_and_commands_are_those_of_the_programs(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerator import settings
    from accelerator.main import application
    from bus.client import BrokerAddress
    from store import connect

    commands = get_command(application()).commands  # type: ignore[attr-defined]  # a group of click
    for name in ("ingest", "analytics", "gateway"):
        assert SERVICES[name]["command"] == [name]
        assert name in commands
        (file,) = SERVICES[name]["env_file"]
        variable, _, url = (state / "secrets" / Path(file).name).read_text().strip().partition("=")
        assert variable == "RESILIAN_BROKER"
        assert BrokerAddress.parse(url).user == name
    known = {row["name"] for row in settings.shown(settings.load())} | {"RESILIAN_STORE_TOKEN_FILE"}
    for name, value in environments():
        assert name in known
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RESILIAN_STORE_TOKEN_FILE", str(state / "secrets" / "influx-operator-token"))
    chosen = settings.load()
    assert chosen.token
    connect(chosen.store_url, token=chosen.token)
