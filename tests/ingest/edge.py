"""An edge node as a sender writes it: births with aliases, data by alias alone, the sequence of 0 to 255."""

from dataclasses import dataclass, field

from ingest.sparkplug.payload import DataType, Metric, Payload, encode

_CARRIERS = {bool: (DataType.BOOLEAN, 14), int: (DataType.INT64, 11), float: (DataType.DOUBLE, 13)}
Value = bool | int | float | str


def metric(name: str, value: Value, alias: int | None = None, at_ms: int | None = None, typed: bool = True) -> Metric:
    """A metric whose type is that of its value."""
    datatype, carrier = _CARRIERS.get(type(value), (DataType.STRING, 15))
    return Metric(
        name, alias, at_ms, datatype if typed else 0, carrier=carrier, raw=int(value) if carrier == 14 else value
    )


@dataclass
class Edge:
    """A node's messages as (topic, payload), each with the next sequence number."""

    member: str = "acme"
    node: str = "line"
    bd: int = 0
    seq: int = -1
    aliases: dict[str, int] = field(default_factory=dict)

    def next_seq(self) -> int:
        self.seq = (self.seq + 1) % 256
        return self.seq

    def topic(self, kind: str, device: str = "") -> str:
        return f"spBv1.0/{self.member}/{kind}/{self.node}" + (f"/{device}" if device else "")

    def nbirth(self, at_ms: int, **values: Value) -> tuple[str, bytes]:
        self.seq = -1
        own = [metric("bdSeq", self.bd), metric("Node Control/Rebirth", False)]
        return self._born("NBIRTH", "", at_ms, own, values)

    def dbirth(self, device: str, at_ms: int, **values: Value) -> tuple[str, bytes]:
        return self._born("DBIRTH", device, at_ms, [], values)

    def _born(
        self, kind: str, device: str, at_ms: int, own: list[Metric], values: dict[str, Value]
    ) -> tuple[str, bytes]:
        for name in values:
            self.aliases.setdefault(device + "/" + name, len(self.aliases) + 10)
        metrics = own + [metric(name, value, self.aliases[device + "/" + name]) for name, value in values.items()]
        return self.topic(kind, device), encode(Payload(at_ms, self.next_seq(), metrics))

    def data(self, device: str, at_ms: int, **values: Value) -> tuple[str, bytes]:
        """Values by alias alone, without their types."""
        metrics = [metric("", value, self.aliases[device + "/" + name], typed=False) for name, value in values.items()]
        return self.topic("DDATA" if device else "NDATA", device), encode(Payload(at_ms, self.next_seq(), metrics))

    def ddeath(self, device: str, at_ms: int) -> tuple[str, bytes]:
        return self.topic("DDEATH", device), encode(Payload(at_ms, self.next_seq(), []))

    def ndeath(self, at_ms: int | None = None) -> tuple[str, bytes]:
        return self.topic("NDEATH"), encode(Payload(at_ms, None, [metric("bdSeq", self.bd)]))
