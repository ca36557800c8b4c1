"""Logins that one program asks for and another makes: who asks never sees the broker's files, who makes no network.

The gateway of docker-compose.yml reaches a folder of requests alone. It makes the password, writes its hash there and
waits for the answer; ``deploy/logins`` adds the login beside those that are there. A request can add a device's login
and nothing else: no program's, no change to one that exists, no more than :data:`MOST` of a member.

Files of a request, each ``<login>.<number>`` with an ending: ``.request`` (the hash), ``.taken`` while it is looked at,
``.answer`` (one word of :data:`Answer`). What cannot be answered keeps no other waiting and goes when it is too old;
only a folder stays. Standard library only.
"""

import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from bus import logins

MOST: Final = 200
"""Logins of one member that a page makes: whoever reaches it cannot fill the broker's files."""
MOST_OF_ALL: Final = 10_000
"""Logins of everybody together that a page makes."""
PATIENCE_S: Final = 15.0
"""How long one waits until a request is taken up; for the answer to one that was, as long again."""
_STALE_S: Final = 2 * PATIENCE_S - 5.0
"""By then nobody waits until it is made, so nobody would have the password: the request is refused."""
_KEPT_S: Final = 4 * PATIENCE_S
"""An answer that was not fetched; and a draft that a killed program left."""
_A_PASS: Final = 20
"""Requests that one look answers."""
_MOST_FILES: Final = 300
"""Requests that may wait, and answers that may lie there."""
_LONGEST_NAME: Final = 200
"""Bytes of a file's name: the longest login leaves room, and so do the endings."""
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


def serve(
    folder: Path, broker: Path, tell: Callable[[str, Answer], object] = lambda name, said: None
) -> list[tuple[str, Answer]]:
    """Look once at the requests, the oldest first, and answer up to 20; what was answered to which.

    Args:
        broker: the folder of the broker's passwd and acl.
        tell: hears each answer as soon as it is given; of a login that was made, also when it cannot be answered.

    Raises:
        OSError: the folder of requests cannot be read; or, after all others had their turn, the first trouble with one.
    """
    _forget(path for path in _oldest_first(folder) if path.suffix in (".answer", ".new"))
    found = _oldest_first(folder)
    waiting = [path for path in found if path.suffix in (".request", ".taken")]
    room = min(_A_PASS, _MOST_FILES - sum(path.suffix == ".answer" for path in found))
    done: list[tuple[str, Answer]] = []
    troubles = _throw_away(waiting[_MOST_FILES:])
    for path in waiting[:_MOST_FILES]:
        if len(done) >= room:
            break
        try:
            done.extend(_one(path, broker, tell))
        except OSError as error:
            troubles.append(error)
            _forget([path], _STALE_S)
        with suppress(OSError):  # told below
            _sign(folder)
    try:
        _sign(folder)
    except OSError as error:
        troubles.append(error)
    if troubles:
        raise troubles[0]
    return done


def _oldest_first(folder: Path) -> list[Path]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # withdrawn, or fetched, a moment ago
                if not entry.is_dir(follow_symlinks=False):
                    found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
    return [folder / name for _, name in sorted(found)]


def _one(path: Path, broker: Path, tell: Callable[[str, Answer], object]) -> list[tuple[str, Answer]]:
    """Answer one request, taken up now or by an earlier life that ended before it answered; empty if withdrawn."""
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise OSError(f"a request's name is longer than {_LONGEST_NAME} bytes")
    taken = path.with_suffix(".taken")
    try:
        path.rename(taken)
    except FileNotFoundError:
        return []
    name, said = _judge(taken, broker)
    try:
        logins.replace(taken.with_suffix(".answer"), said + "\n")
    except OSError:
        if said == "made":
            tell(name, said)
        raise
    tell(name, said)
    taken.unlink(missing_ok=True)
    return [(name, said)]


def _throw_away(paths: list[Path]) -> list[OSError]:
    """More than can ever be answered in time; whoever waits for one is told by his own patience."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
    return [OSError(f"more than {_MOST_FILES} requests wait: the newest were thrown away")] if paths else []


def _sign(folder: Path) -> None:
    """Show that somebody looks. A link or a pipe of that name is taken away, not followed nor waited for."""
    path = folder / _SIGN
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(path.lstat().st_mode):
            path.unlink()
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    try:
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def _judge(path: Path, broker: Path) -> tuple[str, Answer]:
    name = path.name.removesuffix(".taken").rpartition(".")[0]
    text = _text(path)
    if not logins.DEVICE.fullmatch(name) or text is None or not logins.HASHED.fullmatch(text):
        return ascii(name[:_LONGEST]), "refused"
    try:
        users = logins.read(broker)
        if name not in users and len(users) >= MOST_OF_ALL:
            return name, "full"
        logins.add_hashed(broker, name, text, MOST)
    except logins.TooManyLogins:
        return name, "many"
    except logins.LoginRefused:
        return name, "exists"
    except (OSError, UnicodeError):
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
        if not stat.S_ISREG(about.st_mode) or abs(time.time() - about.st_mtime) > _STALE_S:
            return None
        said = file.read(_LONGEST)
    return said.decode("ascii", errors="replace").removesuffix("\n")


def _forget(paths: Iterable[Path], after_s: float = _KEPT_S) -> None:
    for path in paths:
        with suppress(OSError):
            if abs(time.time() - path.lstat().st_mtime) > after_s:
                path.unlink()
