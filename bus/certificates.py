"""Certificates of devices, in place of passwords: a small authority of the network, whose key never leaves its server.

Standard library and the program ``openssl``: ``deploy/devices`` runs it on a server that has nothing else. The broker
reads two of its files, beside ``passwd`` and ``acl``: ``devices-ca.crt`` and ``devices.crl``. The key and the register
of what was issued lie in ``authority``, beside that folder, where the broker does not see them.
"""

import errno
import os
import secrets
import shutil
import ssl
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bus import logins
from fleet.clock import now

AUTHORITY: Final = "devices-ca.crt"
REVOKED: Final = "devices.crl"
DAYS: Final = 825
"""Validity of a device's certificate: a little over two years."""
_AUTHORITY_DAYS: Final = 7300
_CURVE: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_CONFIGURATION: Final = """\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[device]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[ca]
default_ca = register
[register]
database = {register}
default_md = sha256
"""


class ToolMissing(Exception):
    """The program ``openssl`` is not there, or failed: says what to do, or its words."""


@dataclass(frozen=True)
class Issued:
    """A certificate that was just made; its key is kept nowhere.

    Attributes:
        login: the name in it, ``<member>.<device>``.
        certificate, key: PEM.
        expires: UTC.
    """

    login: str
    certificate: str
    key: str
    expires: datetime


def add_device(folder: Path, member: str, device: str, days: int = DAYS) -> Issued:
    """Make the login of a device that shows a certificate, and the authority if it is the first.

    Raises:
        logins.LoginRefused: it exists, or its name is none.
        ToolMissing: see there.
        OSError: the files cannot be written.
    """
    name = logins.login_of(member, device)
    with logins.locked(folder):
        users = logins.read(folder)
        if name in users or name in logins.certified(folder):
            raise logins.LoginRefused(f"{name} exists; remove it first to give it another certificate")
        authority = _authority(folder)
        with tempfile.TemporaryDirectory(dir=authority) as place:
            made, line = _issue(folder, Path(place), name, days)
        _commit(folder, logins.register(folder).read_text() + line, users)
    return made


def paths_of(folder: Path, login: str) -> tuple[Path, Path]:
    """Where certificate and key of a login are written for its device."""
    return folder / f"{login}.crt", folder / f"{login}.key"


def free(folder: Path, login: str) -> None:
    """Refuse a folder that cannot take them, before a login is made.

    Raises:
        OSError: it is no folder, or one of the two files is there.
    """
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is no folder", str(folder))
    for path in paths_of(folder, login):
        if path.exists():
            raise FileExistsError(errno.EEXIST, "is there already; it is not written over", str(path))


def write(made: Issued, folder: Path) -> tuple[Path, Path]:
    """Write certificate and key for the device, readable by their owner alone; their paths.

    Raises:
        OSError: they cannot be written.
    """
    paths = paths_of(folder, made.login)
    for path, text in zip(paths, (made.certificate, made.key), strict=True):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    return paths


def remove_device(folder: Path, member: str, device: str) -> str:
    """Take a device's login away, password or certificate; the broker refuses it from its next reading on. The login.

    Raises:
        logins.LoginRefused: there is none.
        ToolMissing: see there.
        OSError: the files cannot be written.
    """
    name = logins.login_of(member, device)
    if name not in logins.certified(folder):
        return logins.remove_device(folder, member, device)
    with logins.locked(folder):
        register = logins.register(folder)
        stamp = _stamp(now())
        lines = [
            line.replace("V\t", "R\t", 1).replace("\t\t", f"\t{stamp}\t", 1) if _is_of(line, name) else line
            for line in register.read_text().splitlines()
        ]
        _commit(folder, "".join(f"{line}\n" for line in lines), logins.read(folder))
    return name


def _commit(folder: Path, register: str, users: dict[str, str]) -> None:
    """Put the register and the files of the broker that follow from it in force: all of them, or none.

    What can fail by itself, ``openssl``, has its say before any file is touched. The revocations come first: whatever
    happens next, who was taken back stays outside.
    """
    kept = logins.register(folder)
    names = (*users, *logins.certified_in(register))
    logins.replace_all(
        {folder / REVOKED: _revoked(folder, register), kept: register, folder / "acl": logins.rules(names)}
    )


def _is_of(line: str, name: str) -> bool:
    return line.startswith("V\t") and line.endswith(f"\t/CN={name}")


def _authority(folder: Path) -> Path:
    """The authority's folder; made with its key, its certificate and an empty register when it is not there."""
    place = logins.register(folder).parent
    key = place / "devices-ca.key"
    if key.exists():
        return place
    place.mkdir(mode=0o700, exist_ok=True)
    logins.own(place, folder)
    with tempfile.TemporaryDirectory(dir=place) as draft:
        _openssl(Path(draft), logins.register(folder), "req", "-x509", *_CURVE, "-days", str(_AUTHORITY_DAYS),
                 "-extensions", "authority", "-subj", "/CN=devices of this network", "-keyout", "key",
                 "-out", "crt")  # fmt: skip
        logins.replace(logins.register(folder), "")
        logins.replace(folder / AUTHORITY, (Path(draft) / "crt").read_text())
        logins.replace(key, (Path(draft) / "key").read_text())
    return place


def _issue(folder: Path, place: Path, name: str, days: int) -> tuple[Issued, str]:
    """A certificate, and its line of the register, which is not written yet."""
    authority = logins.register(folder).parent
    serial = f"{secrets.randbits(120) | 1 << 119:030X}"
    register = logins.register(folder)
    _openssl(place, register, "req", "-new", *_CURVE, "-subj", f"/CN={name}", "-keyout", "key", "-out", "csr")
    _openssl(place, register, "x509", "-req", "-in", "csr", "-CA", str((folder / AUTHORITY).absolute()), "-CAkey",
             str((authority / "devices-ca.key").absolute()), "-set_serial", f"0x{serial}", "-days", str(days),
             "-sha256", "-extfile", "openssl.cnf", "-extensions", "device", "-out", "crt")  # fmt: skip
    until = _openssl(place, register, "x509", "-in", "crt", "-enddate", "-noout").strip().removeprefix("notAfter=")
    expires = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC)
    line = f"V\t{_stamp(expires)}\t\t{serial}\tunknown\t/CN={name}\n"
    return Issued(name, (place / "crt").read_text(), (place / "key").read_text(), expires), line


def _revoked(folder: Path, register: str) -> str:
    """The list of revoked certificates by this text of the register, signed by the authority."""
    authority = logins.register(folder).parent
    with tempfile.TemporaryDirectory(dir=authority) as place:
        draft = Path(place) / "register"
        draft.write_text(register)
        _openssl(Path(place), draft, "ca", "-gencrl", "-crldays", str(_AUTHORITY_DAYS), "-cert",
                 str((folder / AUTHORITY).absolute()), "-keyfile", str((authority / "devices-ca.key").absolute()),
                 "-out", "crl")  # fmt: skip
        return (Path(place) / "crl").read_text()


def _stamp(at: datetime) -> str:
    """As OpenSSL's register has times: two digits of the year before 2050."""
    return at.strftime("%y%m%d%H%M%SZ" if at.year < 2050 else "%Y%m%d%H%M%SZ")


def _openssl(place: Path, register: Path, command: str, *words: str) -> str:
    """Run it in ``place``, with a configuration of our own that names this register."""
    program = shutil.which("openssl")
    if program is None:
        raise ToolMissing("certificates need the program openssl: apt install openssl")
    (place / "openssl.cnf").write_text(_CONFIGURATION.format(register=register.absolute()))
    configured = () if command == "x509" else ("-config", "openssl.cnf")
    line = [program, command, *configured, *words]
    done = subprocess.run(line, cwd=place, capture_output=True, text=True, check=False)  # noqa: S603 - names are slugs
    if done.returncode != 0:
        raise ToolMissing(f"openssl {command}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout
