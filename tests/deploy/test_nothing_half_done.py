"""Logins and certificates are made and taken away whole: when a part fails, every file is as it was."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bus import certificates, logins

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed; apt install openssl")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "mosquitto" / "secrets"
    folder.mkdir(parents=True)
    certificates.add_device(folder, "zorn", "first")
    logins.add_device(folder, "zorn", "plain")
    return folder


def everything(secrets: Path) -> dict[str, str]:
    place = secrets.parent
    return {str(path.relative_to(place)): path.read_text() for path in sorted(place.rglob("*")) if path.is_file()}


CHANGES: dict[str, Callable[[Path], object]] = {
    "taken back": lambda folder: certificates.remove_device(folder, "zorn", "first"),
    "made": lambda folder: certificates.add_device(folder, "zorn", "second"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_without_openssl_nothing_changes_and_the_next_try_does_it(
    change: str, secrets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(secrets)
    with monkeypatch.context() as without:
        without.setenv("PATH", "")
        with pytest.raises(certificates.ToolMissing):
            CHANGES[change](secrets)
    assert everything(secrets) == before
    CHANGES[change](secrets)
    assert everything(secrets) != before


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("file", ["devices.crl", "acl", "../authority/register"])
def test_a_file_that_cannot_be_written_undoes_the_others(change: str, file: str, secrets: Path) -> None:
    """A folder stands where the file's new text is drafted: to write there fails for root, too."""
    before = everything(secrets)
    path = secrets / file
    blocked = path.with_name(f".{path.name}.new")
    blocked.mkdir()
    with pytest.raises(OSError, match=r"\.new"):
        CHANGES[change](secrets)
    assert everything(secrets) == before
    assert list(logins.certified(secrets)) == ["zorn.first"]
    blocked.rmdir()
    CHANGES[change](secrets)
    assert ("zorn.first" in logins.certified(secrets)) == (change == "made")


@pytest.mark.parametrize("file", ["passwd", "acl"])
def test_a_password_is_made_and_removed_whole(file: str, secrets: Path) -> None:
    before = everything(secrets)
    blocked = secrets / f".{file}.new"
    blocked.mkdir()
    with pytest.raises(OSError, match=r"\.new"):
        logins.add_device(secrets, "zorn", "other")
    with pytest.raises(OSError, match=r"\.new"):
        logins.remove_device(secrets, "zorn", "plain")
    assert everything(secrets) == before


def test_a_member_has_so_many_logins_and_no_more(secrets: Path) -> None:
    logins.add_device(secrets, "zorn", "third", most=3)
    with pytest.raises(logins.TooManyLogins, match="zorn has 3 logins already"):
        logins.add_device(secrets, "zorn", "fourth", most=3)
    logins.add_device(secrets, "zorn-neuf", "first", most=3)  # another member, whose name begins alike
    logins.add_device(secrets, "zorn", "fourth")
