"""Where a setting comes from, and what is said when it is wrong."""

from pathlib import Path

import pytest

from accelerator import settings
from accelerator.problems import Missing, Usage


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BROKER", "STORE", "STORE_TOKEN", "STORE_TOKEN_FILE", "FLEET", "PORT", "LISTEN", "LOG"):
        monkeypatch.delenv(f"RESILIAN_{name}", raising=False)
    monkeypatch.setenv("RESILIAN_DATA_DIR", str(tmp_path))


def test_defaults_are_embedded_and_on_loopback(tmp_path: Path) -> None:
    chosen = settings.load()
    assert (chosen.broker, chosen.store, chosen.port, chosen.listen) == (None, None, 8080, "127.0.0.1")
    assert chosen.fleet == tmp_path / "fleet"
    assert chosen.store_url == f"duckdb:///{tmp_path / 'store.duckdb'}"
    assert chosen.origin["port"] == "default"


def test_environment_wins_over_file_and_command_line_over_both(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    (folder / "resilian.toml").write_text('RESILIAN_PORT = 9001\nRESILIAN_BROKER = "mqtt://from-file"\n')
    monkeypatch.setenv("RESILIAN_FLEET", str(folder))
    monkeypatch.setenv("RESILIAN_BROKER", "mqtt://from-environment")
    chosen = settings.load(listen="::1")
    assert (chosen.port, chosen.broker, chosen.listen) == (9001, "mqtt://from-environment", "::1")
    assert chosen.origin["port"] == str(folder / "resilian.toml")
    assert (chosen.origin["broker"], chosen.origin["listen"]) == ("environment", "command line")


def test_a_wrong_value_names_setting_value_and_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESILIAN_PORT", "abc")
    with pytest.raises(Usage, match=r"RESILIAN_PORT = 'abc': .*integer"):
        settings.load()


def test_an_unknown_key_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "resilian.toml").write_text("RESILIAN_PROT = 1\n")
    with pytest.raises(Usage, match="RESILIAN_PROT"):
        settings.load()


def test_a_missing_token_file_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RESILIAN_STORE_TOKEN_FILE", str(tmp_path / "none"))
    with pytest.raises(Missing, match="RESILIAN_STORE_TOKEN_FILE"):
        settings.load()


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESILIAN_BROKER", "mqtt://user:geheim@host:1883")
    monkeypatch.setenv("RESILIAN_STORE_TOKEN", "t0ken")
    text = str(settings.shown(settings.load()))
    assert "geheim" not in text
    assert "t0ken" not in text
    assert "mqtt://user:***@host:1883" in text
