"""Limits of a writer's sessions in PostgreSQL, so that a paused writer blocks no other for long."""

from __future__ import annotations

import re
from urllib.parse import quote

from msgspec.structs import replace

from adapters.ducklake.database import Location

IDLE_LEASES = 3
"""Leases after which PostgreSQL ends a transaction in which nothing happens. Its writer was paused
or cut off then, but keeps its locks, and they would stop the next writer. While it writes files, a
transaction waits too, but not for as long."""

LOCK_LEASES = 6
"""Leases after which a writer gives up waiting for a lock, and begins again."""

_OWN_OPTIONS = re.compile(r"\boptions\s*=")


def limited(location: Location, lease_seconds: float) -> Location:
    """Return the location with limits for the sessions of its catalog, unless it sets options."""
    catalog = location.catalog
    if catalog is None or _OWN_OPTIONS.search(catalog):
        return location
    options = (
        f"-c idle_in_transaction_session_timeout={int(IDLE_LEASES * lease_seconds * 1000)} "
        f"-c lock_timeout={int(LOCK_LEASES * lease_seconds * 1000)}"
    )
    if "://" in catalog:
        joint = "&" if "?" in catalog else "?"
        return replace(location, catalog=f"{catalog}{joint}options={quote(options)}")
    return replace(location, catalog=f"{catalog} options='{options}'")
