"""Where readings, hours and documents are kept: ``connect(url)`` returns a :class:`store.base.Store`.

A new store is one file and one line in the table here; the one test suite in ``tests/store`` runs on it.
"""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from store.base import DirtyHour, Store, StoreError, StoreLost, StoreRefused, StoreRejected, StoreUnavailable

__all__ = [
    "DirtyHour",
    "Store",
    "StoreError",
    "StoreLost",
    "StoreRefused",
    "StoreRejected",
    "StoreUnavailable",
    "connect",
]

Retention = Callable[[str], int]
"""Days that readings of a member are kept; 0 is for ever."""


def connect(url: str, *, token: str | None = None, retention: Retention | None = None) -> Store:
    """The store at a URL, not yet opened: ``duckdb:///path/file.duckdb`` or ``influxdb+http://host:port?org=NAME``.

    Args:
        token: of the InfluxDB server; must be allowed to make buckets. DuckDB has none.
        retention: by member, for the buckets InfluxDB makes; for ever when None. DuckDB keeps until ``forget``.

    Raises:
        ValueError: the URL names no store, or lacks a part.
    """
    parts = urlsplit(url)
    factory = _FACTORIES.get(parts.scheme)
    if factory is None:
        raise ValueError(
            f"store {_without_password(url)!r}: begins with none of {', '.join(f'{s}:' for s in _FACTORIES)}"
        )
    return factory(parts, token, retention)


def _duckdb(parts: SplitResult, token: str | None, retention: Retention | None) -> Store:
    del token, retention
    path = unquote(parts.path)
    if parts.netloc or not path.startswith("/") or path == "/":
        raise ValueError(f"store {parts.geturl()!r}: a file is written duckdb:///absolute/path/file.duckdb")
    from store.duck import DuckStore  # only who uses it pays for loading it

    return DuckStore(":memory:" if path == "/:memory:" else path)


def _influxdb(parts: SplitResult, token: str | None, retention: Retention | None) -> Store:
    where = _without_password(parts.geturl())
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"store {where!r}: {error}") from error
    if not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"store {where!r}: is written influxdb+http://host:port?org=NAME")
    if parts.username or parts.password:
        raise ValueError(f"store {where!r}: a name and password cannot stand in it; give a token")
    org = parse_qs(parts.query).get("org", [""])[0]
    if not org:
        raise ValueError(f"store {where!r}: names no organisation; add ?org=NAME")
    if not token:
        raise ValueError(f"store {where!r}: needs a token")
    from store.influx import InfluxStore  # only who uses it pays for loading it

    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{parts.scheme.removeprefix('influxdb+')}://{host}:{port or 8086}"
    return InfluxStore(address, org, token, retention)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


_FACTORIES: Final[Mapping[str, Callable[[SplitResult, str | None, Retention | None], Store]]] = {
    "duckdb": _duckdb,
    "influxdb+http": _influxdb,
    "influxdb+https": _influxdb,
}
