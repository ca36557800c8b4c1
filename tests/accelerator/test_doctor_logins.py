"""The doctor says when nobody makes the logins that the page /connect asks for."""

from pathlib import Path

from accelerator.doctor import conclusion
from accelerator.doctor_logins import logins_step
from bus import login_requests


def test_a_maker_that_is_away_is_named_and_one_that_works_is_well(tmp_path: Path) -> None:
    fleet, requests = tmp_path / "fleet", tmp_path / "mosquitto" / "requests"
    assert logins_step(fleet) == []
    requests.mkdir(parents=True)
    told = conclusion(logins_step(fleet))
    assert told.startswith("logins: nobody makes the logins that /connect asks for in ")
    assert "docker compose up -d logins" in told
    broker = tmp_path / "broker"
    broker.mkdir()
    login_requests.serve(requests, broker)
    assert [step.status for step in logins_step(fleet)] == ["ok"]
    (tmp_path / "mosquitto" / "secrets").mkdir()
    assert logins_step(fleet) == []
