"""Logins that one program asks for and another makes: who asks never sees the broker's files, who makes no network.

The gateway of docker-compose.yml reaches a folder of requests alone. It makes the password, writes its hash there and
waits for the answer; ``deploy/logins`` adds the login beside those that are there. A request can add a device's login
and nothing else: no program's, no change to one that exists, no more than :data:`MOST` of a member.

Files of a request, each ``<login>.<number>`` with an ending: ``.request`` (the hash), ``.taken`` while it is looked at,
``.answer`` (one word of :data:`Answer`). Standard library only.
"""

import os
import secrets
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from bus import logins

MOST: Final = 200
"""Logins of one member that a page makes: whoever reaches it cannot fill the broker's files."""
MOST_OF_ALL: Final = 10_000
"""Logins of everybody together that a page makes."""
PATIENCE_S: Final = 15.0
"""How long one waits for an answer."""
_STALE_S: Final = 60.0
"""Nobody waits any more, so nobody has the password: the request is refused."""
_KEPT_S: Final = 3600.0
_ALIVE_S: Final = 15.0
_SIGN: Final = ".alive"
_LONGEST: Final = 256

Answer = Literal["made", "exists", "many", "full", "refused", "failed"]
"""``many``: the member has :data:`MOST`; ``full``: the broker has :data:`MOST_OF_ALL`; ``refused``: no login's name, no
hash as ``logins.hashed`` makes it, or too old; ``failed``: the disk."""


class Asked(NamedTuple):
    """A request that was made: the login, its password, and where the request lies."""

    login: str
    password: str
    path: Path


def ask(folder: Path, member: str, device: str) -> Asked:
    """Ask for the login of a device; its password is kept nowhere.

    Raises:
        bus.logins.LoginRefused: a name that cannot be one.
        OSError: the request cannot be written.
    """
    name, password = logins.login_of(member, device), logins.new_password()
    path = folder / f"{name}.{secrets.token_hex(8)}.request"
    logins.replace(path, logins.hashed(password) + "\n")
    return Asked(name, password, path)


def answer(asked: Asked) -> Answer | None:
    """The answer, which is taken away with it; None as long as there is none."""
    path = asked.path.with_suffix(".answer")
    try:
        said = path.read_text().strip()
    except FileNotFoundError:
        return None
    path.unlink()
    return next((word for word in get_args(Answer) if word == said), "failed")


def withdraw(asked: Asked) -> bool:
    """Take a request back; False when it was taken up already and its answer is still to come."""
    try:
        asked.path.unlink()
    except FileNotFoundError:
        return False
    return True


def served(folder: Path) -> bool:
    """Whether somebody looks at the requests: gave a sign within the last seconds."""
    try:
        return time.time() - (folder / _SIGN).stat().st_mtime < _ALIVE_S
    except OSError:
        return False


def serve(folder: Path, broker: Path) -> list[tuple[str, Answer]]:
    """Look once at all requests; what was answered to which.

    Args:
        broker: the folder of the broker's passwd and acl.

    Raises:
        OSError: the folder of requests cannot be read or written.
    """
    (folder / _SIGN).touch(mode=0o600)
    done = []
    for path in _waiting(folder):
        name, said = _judge(path, broker)
        logins.replace(path.with_suffix(".answer"), said + "\n")
        path.unlink()
        done.append((name, said))
    _forget(folder.glob("*.answer"))
    return done


def _waiting(folder: Path) -> list[Path]:
    """Requests that were taken up: now, or by an earlier life that ended before it answered."""
    for path in sorted(folder.glob("*.request")):
        with suppress(FileNotFoundError):  # withdrawn a moment ago
            path.rename(path.with_suffix(".taken"))
    return sorted(path for path in folder.glob("*.taken") if path.is_symlink() or not path.is_dir())


def _judge(path: Path, broker: Path) -> tuple[str, Answer]:
    name = path.name.removesuffix(".taken").rpartition(".")[0]
    text = _text(path)
    if not logins.DEVICE.fullmatch(name) or text is None or not logins.HASHED.fullmatch(text):
        return ascii(name[:_LONGEST]), "refused"
    try:
        users = logins.read(broker)
        if users.get(name) == text:
            return name, "made"  # by an earlier life
        if len(users) >= MOST_OF_ALL:
            return name, "full"
        logins.add_hashed(broker, name, text, MOST)
    except logins.TooManyLogins:
        return name, "many"
    except logins.LoginRefused:
        return name, "exists"
    except OSError:
        return name, "failed"
    return name, "made"


def _text(path: Path) -> str | None:
    """What a request says; None for what is no file of its own, too long, too old, or no text."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or time.time() - about.st_mtime > _STALE_S:
            return None
        said = file.read(_LONGEST)
    return said.decode("ascii", errors="replace").removesuffix("\n")


def _forget(answers: Iterable[Path]) -> None:
    for path in answers:
        with suppress(FileNotFoundError):
            if time.time() - path.lstat().st_mtime > _KEPT_S:
                path.unlink()
