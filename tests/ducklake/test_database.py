"""The connection to DuckDB."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from adapters.ducklake.database import Location, connect


def test_a_query_that_needs_more_than_its_memory_uses_the_disk(tmp_path: Path) -> None:
    with closing(connect(Location(root=tmp_path / "new"), memory="64MB")) as connection:
        rows = connection.execute(
            "SELECT count(*) FROM (SELECT hash(i) h, i FROM range(5_000_000) r(i) ORDER BY h)"
        ).fetchone()
        connection.execute("CREATE TABLE kept AS SELECT i, hash(i) h FROM range(8_000_000) r(i)")
    assert rows == (5_000_000,)
