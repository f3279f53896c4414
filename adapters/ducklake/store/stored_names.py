"""The names under which projections are stored.

The first release used other names. They remain in the registry, in the names of generations
(directories, PostgreSQL schemas, locks) and in those of tables. So all releases can read and write
the same data, in any order and by any number of processes.
"""

from __future__ import annotations

from application.projections.folds import METRIC_METADATA, METRIC_NAMES, POINTS

POINTS_TABLE = "series"
METRIC_NAMES_TABLE = "catalog"
METRIC_METADATA_TABLE = "metadata"

STORED_NAMES = {
    POINTS.name: POINTS_TABLE,
    METRIC_NAMES.name: METRIC_NAMES_TABLE,
    METRIC_METADATA.name: METRIC_METADATA_TABLE,
}
PROJECTIONS = {stored: name for name, stored in STORED_NAMES.items()}


def lake_name(projection: str, number: int) -> str:
    """Return the name of a generation's DuckLake."""
    return f"{STORED_NAMES[projection]}-{number}"
