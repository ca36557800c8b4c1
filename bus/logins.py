"""Broker logins: the password file and the rules of Mosquitto, one user a device or program.

Standard library only: ``deploy/secrets`` and ``deploy/devices`` run it on a server that has Python and nothing else.
"""

import base64
import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = {
    "ingest": (
        "read m/#",
        "read spBv1.0/#",
        "write spBv1.0/+/NCMD/+",
        "write spBv1.0/STATE/+",
        "write STATE/+",
        "readwrite net/v1/#",
        "read $SYS/broker/#",
    ),
    "analytics": ("readwrite net/v1/#",),
    "gateway": ("readwrite net/v1/#", "write share/v1/#"),
    "operator": ("readwrite m/#", "readwrite spBv1.0/#", "readwrite net/v1/#", "read $SYS/broker/#"),
    "health-ingest": ("read net/v1/health/ingest",),
    "health-analytics": ("read net/v1/health/analytics",),
}
"""Rules of the programs' logins; a device's follow from its name, and ``ingest-<name>`` is one more collector."""

_DEVICE = (
    "write m/{0}/#",
    "write spBv1.0/{0}/#",
    "read spBv1.0/{0}/NCMD/#",
    "read spBv1.0/STATE/+",
    "read STATE/+",
)

SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
DEVICE = re.compile(rf"({SLUG.pattern})\.({SLUG.pattern})")
COLLECTOR = re.compile(rf"(?:(?<=^ingest)|(?<=^health-ingest))-{SLUG.pattern}$")
"""What the logins of a collector with a name have behind those of the one without."""
_ITERATIONS = 20_000
HASHED = re.compile(rf"\$7\${_ITERATIONS}\$[A-Za-z0-9+/]{{16}}\$[A-Za-z0-9+/]{{86}}==")
"""What :func:`hashed` makes; another number of iterations could keep the broker busy."""
_PASSWORD_BYTES = 20


class LoginRefused(ValueError):
    """The login cannot be made or removed: says which one, and why."""


class TooManyLogins(LoginRefused):
    """A member may not have more."""


def login_of(member: str, device: str) -> str:
    """The login of a device.

    Raises:
        LoginRefused: a name that could mean more than one member or device in the broker's files.
    """
    name = f"{member}.{device}"
    if not (SLUG.fullmatch(member) and SLUG.fullmatch(device)):
        raise LoginRefused(f"{name!r}: member and device are a-z, 0-9 and hyphens inside")
    return name


def add_device(folder: Path, member: str, device: str, most: int | None = None) -> tuple[str, str]:
    """Make the login of a device: its name, and its password of 160 random bits, which is kept nowhere.

    Args:
        most: of one member's logins; None sets no limit.

    Raises:
        TooManyLogins: the member has as many already.
        LoginRefused: it exists, or its name is none.
        OSError: the files cannot be written.
    """
    name, password = login_of(member, device), new_password()
    add_hashed(folder, name, hashed(password), most)
    return name, password


def new_password() -> str:
    """160 random bits as text."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def add_hashed(folder: Path, name: str, password_hash: str, most: int | None = None) -> None:
    """Add a device's login whose password only its hash tells. Every other line of both files stays as it is.

    One with this very hash is there already, made by a program that may have been killed before it wrote the rules: it
    gets them.

    Raises:
        TooManyLogins, LoginRefused, OSError: as :func:`add_device`.
    """
    member = name.partition(".")[0]
    with locked(folder):
        users, acl = read(folder), folder / "acl"
        begun, known = users.get(name) == password_hash, {*users, *devices(folder), *ruled(folder)}
        if begun and name in ruled(folder):
            return
        if name in known and not begun:
            raise LoginRefused(f"{name} exists; remove it first to give it another password")
        if not begun and most is not None and sum(one.startswith(f"{member}.") for one in known) >= most:
            raise TooManyLogins(f"{member} has {most} logins already; remove those that no device uses")
        text = acl.read_text() + _rules_of(name) if acl.is_file() else rules((*users, name))
        replace_all({folder / "passwd": _passwords(users | {name: password_hash}), acl: text})


def ruled(folder: Path) -> list[str]:
    """Logins that have rules: those with a certificate, too, where their register cannot be seen."""
    path = folder / "acl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [line.removeprefix("user ") for line in lines if line.startswith("user ")]


def remove_device(folder: Path, member: str, device: str) -> str:
    """Take a device's login away: the broker refuses it from its next reading of the files on. The login's name.

    Raises:
        LoginRefused: there is none.
        OSError: the files cannot be written.
    """
    name = login_of(member, device)
    with locked(folder):
        users = read(folder)
        if users.pop(name, None) is None:
            raise LoginRefused(f"there is no login {name}")
        write(folder, users)
    return name


def devices(folder: Path) -> list[str]:
    """The logins of devices, sorted; those with a certificate, too."""
    return sorted({name for name in read(folder) if DEVICE.fullmatch(name)} | set(certified(folder)))


def register(folder: Path) -> Path:
    """Where issued certificates are written down, in OpenSSL's form; beside the folder that the broker reads."""
    return folder.absolute().parent / "authority" / "register"


def certified(folder: Path) -> list[str]:
    """Logins that show a certificate which was not revoked."""
    path = register(folder)
    return certified_in(path.read_text() if path.exists() else "")


def certified_in(text: str) -> list[str]:
    """The same, of the register's text."""
    lines = text.splitlines()
    return sorted({line.rpartition("/CN=")[2] for line in lines if line.startswith("V\t")})


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One change at a time: two commands at once must not undo one another's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def hashed(password: str) -> str:
    """A password as ``mosquitto_passwd`` keeps it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
    return f"$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def read(folder: Path) -> dict[str, str]:
    """Login -> hash, of the password file in the folder; empty without one."""
    path = folder / "passwd"
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split(":", 1) for line in lines if ":" in line)


def write(folder: Path, users: dict[str, str]) -> None:
    """Both files, or none; the broker reads them again at SIGHUP."""
    replace_all({folder / "passwd": _passwords(users), folder / "acl": rules((*users, *certified(folder)))})


def _passwords(users: Mapping[str, str]) -> str:
    return "".join(f"{name}:{value}\n" for name, value in sorted(users.items()))


def rules(users: Iterable[str]) -> str:
    """The broker's rules: a device writes below its member's name alone. No pattern rules.

    It reads nothing but what Sparkplug nodes wait for: commands to its member's nodes, and the state of the host.
    """
    text = "# Written by deploy/secrets, deploy/devices and `resilian device`. An unlisted login may do nothing.\n"
    return text + "".join(_rules_of(name) for name in sorted(set(users)))


def _rules_of(name: str) -> str:
    device = DEVICE.fullmatch(name)
    granted = _program(name) or (device and tuple(rule.format(device[1]) for rule in _DEVICE)) or ()
    return f"\nuser {name}\n" + "".join(f"topic {rule}\n" for rule in granted) if granted else ""


def _program(name: str) -> tuple[str, ...]:
    """The rules of a program's login; ``ingest-<name>`` has those of ingest, its health check reads its own health."""
    plain = COLLECTOR.sub("", name)
    own = name.removeprefix("health-")
    return tuple(rule.replace("health/ingest", f"health/{own}") for rule in PROGRAMS.get(plain, ()))


def replace_all(files: Mapping[Path, str]) -> None:
    """Put texts in place of files in this order; when one cannot be written, all are as they were.

    Raises:
        OSError: of the one that could not be written.
    """
    before = {path: path.read_text() if path.is_file() else None for path in files}
    try:
        for path, text in files.items():
            replace(path, text)
    except OSError:
        for path, was in before.items():
            with suppress(OSError):  # the disk that refused may refuse again: the first error is told
                _put_back(path, was)
        raise


def _put_back(path: Path, text: str | None) -> None:
    if text is None and path.is_file():
        path.unlink()
    elif text is not None and path.read_text() != text:
        replace(path, text)


def replace(path: Path, text: str) -> None:
    """Put text in place of a file in one step, readable by its owner alone, with the folder's owner."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # one that was left, or a link that leads root elsewhere
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        own(file.fileno(), path.parent)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def own(what: Path | int, folder: Path) -> None:
    """Give a path or an open file to the owner of the folder, when root runs this."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.chown(what, owner.st_uid, owner.st_gid, follow_symlinks=isinstance(what, int))
