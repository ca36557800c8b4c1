"""Deliveries as the wire gives them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One delivery."""

    topic: str
    payload: bytes
    packet_id: int | None = None
    retain: bool = False
    duplicate: bool = False
