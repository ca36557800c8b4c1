"""Where readings, hours and documents are kept: ``connect(url)`` returns a :class:`store.base.Store`.

A new store is one file and one line in the table here; the one test suite in ``tests/store`` runs on it.
"""

from store.base import DirtyHour, Store, StoreError, StoreRefused, StoreRejected, StoreUnavailable

__all__ = ["DirtyHour", "Store", "StoreError", "StoreRefused", "StoreRejected", "StoreUnavailable"]
