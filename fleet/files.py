"""Registry files on disk: what is there, and how one is replaced so that no reader ever sees half of it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

NETWORK: Final = "network.toml"
MEMBERS: Final = "members"
PROFILES: Final = "profiles"
REMOVED: Final = "removed"
_LOCK: Final = ".lock"
_MODE: Final = 0o640  # members' contacts and consents: for the operator and the programs' group alone


def member_path(folder: Path, slug: str) -> Path:
    """Where a member's file stands."""
    return folder / MEMBERS / f"{slug}.toml"


def removed_path(folder: Path, slug: str, at: datetime) -> Path:
    """Where a member's file is kept that was taken out then; nothing reads it there."""
    return folder / REMOVED / f"{slug}.{at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}.toml"


def removed_files(folder: Path, slug: str) -> list[Path]:
    """The files of members of this slug that were taken out, oldest first."""
    return sorted((folder / REMOVED).glob(f"{slug}.*.toml"))


def member_files(folder: Path) -> list[Path]:
    """The members' files, sorted by name; hidden files and other endings do not count."""
    return sorted(path for path in (folder / MEMBERS).glob("*.toml") if not path.name.startswith("."))


def profile_files(folder: Path) -> list[Path]:
    """Mapping profiles of the fleet's own, sorted by name; hidden files and other endings do not count."""
    return sorted(path for path in (folder / PROFILES).glob("*.toml") if not path.name.startswith("."))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: one editor at a time, over processes and threads. Blocks until it is free."""
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Put ``text`` in place of the file, durable and in one step; mode and owner of an existing file stay.

    Raises:
        OSError: no space, no permission; the old file is untouched then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _like_existing(path, file.fileno())
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def move(path: Path, target: Path) -> None:
    """Give a file another place on the same disk, durably and in one step.

    Raises:
        OSError: it is not there, or no permission.
    """
    target.parent.mkdir(mode=0o750, exist_ok=True)
    path.replace(target)
    for folder in (target.parent, path.parent):
        _sync_folder(folder)


def _like_existing(path: Path, descriptor: int) -> None:
    if not path.exists():
        return
    known = path.stat()
    os.fchmod(descriptor, known.st_mode & 0o777)
    with suppress(PermissionError):  # only root may give files away; an editor of the group keeps its own name
        os.fchown(descriptor, known.st_uid, known.st_gid)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
