"""A store that hangs keeps no collector from its broker."""

import socket
from pathlib import Path

import pytest

from accelerator import opening, settings


async def test_a_store_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_HANGS_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never says a word
        url = f"influxdb+http://127.0.0.1:{silent.getsockname()[1]}?org=nobody"
        monkeypatch.setenv("RESILIAN_STORE", url)
        monkeypatch.setenv("RESILIAN_STORE_TOKEN", "none")
        async with opening.open_store(settings.load(data_dir=tmp_path), patient=True) as store:
            assert store is not None
