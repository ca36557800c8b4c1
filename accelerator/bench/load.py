"""What a benchmark publishes: readings of 100 bytes of canonical JSON, made while they are sent."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fleet.batch import MachineKey
from fleet.topics import reading_topic

STEP_MS = 1000
"""Between two readings of a machine; distinct times, since a store may merge points of one series and time."""


def machine_keys(machines: int, members: int, prefix: str = "member") -> tuple[MachineKey, ...]:
    """That many machines, spread evenly over members named ``<prefix>-0`` and so on."""
    return tuple(MachineKey(f"{prefix}-{index % members}", f"machine-{index}") for index in range(machines))


def write_fleet(folder: Path, keys: tuple[MachineKey, ...]) -> None:
    """A registry of these machines."""
    (folder / "members").mkdir(parents=True)
    place = 'place = { commune = "Haguenau" }\n'
    (folder / "network.toml").write_text(f'name = "bench"\n{place}timezone = "Europe/Paris"\n', encoding="utf-8")
    for member in sorted({member for member, _ in keys}):
        text = f'slug = "{member}"\nname = "{member}"\n{place}retention_days = 0\n'
        text += "".join(f'\n[[machines]]\nid = "{m}"\nname = "{m}"\n' for owner, m in keys if owner == member)
        (folder / "members" / f"{member}.toml").write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Load:
    """Readings of machines in turn.

    Attributes:
        keys: the machines.
        start_ms: device time of each machine's first reading, epoch ms.
        step_ms: between two readings of a machine.
    """

    keys: tuple[MachineKey, ...]
    start_ms: int
    step_ms: int = STEP_MS

    def at(self, index: int) -> int:
        """Device time of message ``index``, epoch ms."""
        return self.start_ms + index // len(self.keys) * self.step_ms

    def key(self, index: int) -> MachineKey:
        """The machine of message ``index``."""
        return self.keys[index % len(self.keys)]

    def topic(self, index: int) -> str:
        """The topic of message ``index``."""
        return reading_topic(*self.key(index))

    def payload(self, index: int, power: str | None = None) -> bytes:
        """The body of message ``index``; ``power`` stands, as JSON, where its power would."""
        turn = index // len(self.keys)
        return (
            f'{{"at":{self.at(index)},"state":"{("PRODUCING", "STANDBY")[index % 2]}",'
            f'"power_w":{power or f"{1000 + index % 977}.5"},"count":{turn},"seq":{turn},"boot":1}}'
        ).encode()

    def messages(self, first: int, after: int) -> Iterator[tuple[str, bytes]]:
        """Messages ``first`` to ``after`` - 1, none held."""
        topics = [reading_topic(*key) for key in self.keys]
        for index in range(first, after):
            yield topics[index % len(topics)], self.payload(index)

    def newest(self, count: int) -> dict[MachineKey, int]:
        """The device time of each machine's last reading after ``count`` messages."""
        return {self.key(index): self.at(index) for index in range(max(0, count - len(self.keys)), count)}
