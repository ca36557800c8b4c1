"""A small disk of its own for a part of a trial, which can be filled to the last byte and emptied again."""

import os
import shutil
import subprocess
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

_BLOCK = 65_536


@cache
def cannot_mount() -> str:
    """Why no small disk can be had here; "" when it can."""
    if shutil.which("mount") is None:
        return "no small disk: there is no mount"
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, text=True
        )
        if done.returncode != 0:
            return f"no small disk: a tmpfs cannot be mounted ({done.stderr.strip()}); root may"
        subprocess.run(["umount", folder], check=True)
    return ""


class SmallDisk:
    """A tmpfs of ``size_mb`` at ``folder``."""

    def __init__(self, folder: Path, size_mb: int) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", folder], check=True)

    def fill(self) -> None:
        """Another program takes every byte that is free; again for what became free since."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (_BLOCK, 1):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def empty(self) -> None:
        """The other program gives back what it took."""
        self._filler.unlink(missing_ok=True)

    @property
    def free(self) -> int:
        """Bytes that are free."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def unmount(self) -> None:
        """Let go of it, with all that is on it."""
        subprocess.run(["umount", "-l", self.folder], check=True)
