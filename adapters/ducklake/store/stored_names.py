"""The names that projections have where they are stored.

The first release called them otherwise. Its names stay in the registry, in the names of generations
(directories, schemas of PostgreSQL, locks) and in those of their tables, so that what it wrote is
read and written as it is, by any number of processes and whichever release is started next.
"""

from __future__ import annotations

from application.projections.folds import METRIC_NAMES, POINTS

POINTS_TABLE = "series"
METRIC_NAMES_TABLE = "catalog"

STORED_NAMES = {POINTS.name: POINTS_TABLE, METRIC_NAMES.name: METRIC_NAMES_TABLE}
PROJECTIONS = {stored: name for name, stored in STORED_NAMES.items()}


def lake_name(projection: str, number: int) -> str:
    """Return the name of a generation's DuckLake."""
    return f"{STORED_NAMES[projection]}-{number}"
