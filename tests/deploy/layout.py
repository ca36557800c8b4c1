"""What a service of docker-compose.yml sees of the disk: its volumes, as links below a folder of its own."""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


class Volume(NamedTuple):
    """One mount: where it is on the host, where in the container, and whether it can be written there."""

    source: Path
    target: str
    writable: bool


def volumes(service: str, state: Path) -> list[Volume]:
    """The volumes of a service with its state in that folder."""
    found = []
    for text in SERVICES[service].get("volumes", ()):
        source, _, rest = text.replace("${RESILIAN_HOME:-./deploy/state}", str(state)).partition(":")
        target, _, mode = rest.partition(":")
        found.append(Volume(ROOT / source, target, mode != "ro"))
    return found


def root_of(service: str, state: Path, place: Path) -> Path:
    """Make the folder that stands for the root of the service's file system."""
    root = place / f"root-{service}"
    for volume in volumes(service, state):
        inside = root / volume.target.lstrip("/")
        inside.parent.mkdir(parents=True, exist_ok=True)
        inside.symlink_to(volume.source)
    return root
