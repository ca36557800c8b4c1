"""What influxdb-client does for the store: the organisation, its buckets and their names, deletions. Blocking."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import influxdb_client
import urllib3
from influxdb_client.rest import ApiException

from store.base import StoreRefused, StoreUnavailable

DAY_S: Final = 86_400
_api: Any = influxdb_client  # most of its functions carry no types


class InfluxAdmin:
    """Administration of one organisation; every method raises StoreUnavailable or StoreRefused."""

    def __init__(self, address: str, org: str, token: str, timeout_s: float) -> None:
        self._address = address
        self._org = org
        self._token = token
        self._timeout_ms = int(timeout_s * 1000)
        self._opened: Any = None

    @property
    def _client(self) -> Any:
        if self._opened is None:
            self._opened = _api.InfluxDBClient(
                self._address, token=self._token, org=self._org, timeout=self._timeout_ms, retries=False
            )
        return self._opened

    def buckets(self) -> set[str]:
        """Names of the organisation's buckets."""
        found = self._asked(lambda: list(self._client.buckets_api().find_buckets_iter(org=self._org, limit=100)))
        return {bucket.name for bucket in found}

    def make_bucket(self, name: str, days: int) -> float:
        """Makes the bucket, or lets it keep longer when it keeps shorter; days that its points are kept, 0 for ever.

        A bucket is never made to keep less than it does: that would delete, which is for a person to say.
        """
        rules = [_api.BucketRetentionRules(type="expire", every_seconds=days * DAY_S)]
        bucket = self._asked(lambda: self._find(name))
        if bucket is None:
            self._asked(lambda: self._make(name, rules))
            return days
        kept = int(bucket.retention_rules[0].every_seconds) if bucket.retention_rules else 0
        if kept and (not days or days * DAY_S > kept):
            bucket.retention_rules = rules
            self._asked(lambda: self._client.buckets_api().update_bucket(bucket))
            return days
        return kept / DAY_S

    def _find(self, name: str) -> Any:
        try:
            return self._client.buckets_api().find_buckets(org=self._org, name=name).buckets[0]
        except ApiException as error:
            if error.status == 404 and "bucket" in (error.message or ""):
                return None
            raise

    def _make(self, name: str, rules: list[Any]) -> None:
        try:
            made = self._client.buckets_api().create_bucket(bucket_name=name, retention_rules=rules, org=self._org)
        except ApiException as error:
            if error.status == 422 and "already exists" in (error.message or ""):
                return  # another program was faster
            raise
        mapping = _api.DBRPCreate(
            org=self._org, bucket_id=made.id, database=name, retention_policy="autogen", default=True
        )
        _api.DBRPsService(self._client.api_client).post_dbrp(mapping)

    def remove_bucket(self, name: str) -> None:
        """Removes the bucket with all it holds; it may be gone already."""
        bucket = self._asked(lambda: self._find(name))
        if bucket is not None:
            self._asked(lambda: self._client.buckets_api().delete_bucket(bucket))

    def delete(self, bucket: str, before_ms: int, predicate: str) -> None:
        """Deletes the points before an instant that match a predicate of the delete API."""
        seconds, ms = divmod(before_ms - 1, 1000)
        stop = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}999999Z"  # the last ns, inclusive
        start = "1678-01-01T00:00:00Z"
        self._asked(lambda: self._client.delete_api().delete(start, stop, predicate, bucket=bucket, org=self._org))

    def close(self) -> None:
        """Let go of its connections; the next request opens new ones."""
        client, self._opened = self._opened, None
        if client is not None:
            client.close()

    def _asked(self, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except ApiException as error:
            why = f"store {self._address}: {error.status} {error.message or error.reason}"
            if error.status in (400, 401, 403, 404, 422):
                raise StoreRefused(f"{why}; check the token, its rights and the organisation {self._org!r}") from error
            raise StoreUnavailable(why) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise StoreUnavailable(f"store {self._address}: {_plainly(error)}") from error


def _plainly(error: Exception) -> str:
    """What the system said, without the names of the library's objects around it: "Connection refused"."""
    text = str(error) or type(error).__name__
    return text.rpartition("] ")[2].rstrip("')") if "[Errno" in text else text
