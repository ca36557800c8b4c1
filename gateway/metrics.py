"""Figures for Prometheus: plumbing only, never a machine's or a member's."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The gateway's own registry of metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "resilian_gateway_requests", "Answered requests", ["route", "code"], registry=self.registry
        )
        self.seconds = Histogram(
            "resilian_gateway_request_seconds",
            "Time to answer; streams are not counted",
            ["route"],
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 1, 5),
            registry=self.registry,
        )
        self.streams = Gauge("resilian_gateway_streams", "Open event streams", registry=self.registry)
        self.connected = Gauge("resilian_gateway_broker_connected", "1 with the broker", registry=self.registry)
        self.store = Gauge("resilian_gateway_store_ok", "1 when the store answers", registry=self.registry)
        self.malformed = Gauge("resilian_gateway_malformed", "Messages that could not be read", registry=self.registry)
        self.alive = Gauge("resilian_program_alive", "1 when alive", ["program"], registry=self.registry)
        self.figures = Gauge(
            "resilian_program_figure", "Figures of a program's health", ["program", "name"], registry=self.registry
        )

    def text(self) -> bytes:
        """The exposition format of Prometheus."""
        return generate_latest(self.registry)
