"""A writer killed at any moment leaves each event committed once or not at all."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from adapters.ducklake.database import Location
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.folds import POINTS
from application.projections.live import live_generation
from application.projections.ports import Role
from tests.ducklake.support import POINTS_PER_EVENT, digests_at_once, number_of

KILLS = 8


def run_and_kill(root: Path, mode: str, seconds: float) -> None:
    """Start a churning process, and kill it `seconds` after it began."""
    command = [sys.executable, "-m", "tests.ducklake.churning", str(root), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"began\n"
            time.sleep(seconds)
            assert process.poll() is None
        finally:
            process.kill()


@pytest.mark.slow
def test_rows_and_checkpoints_agree_after_every_kill(tmp_path: Path) -> None:
    rng = random.Random(5)
    numbers = [0]
    for _ in range(KILLS):
        run_and_kill(tmp_path, "commit", rng.random())
        with closing(DuckLakeStores(Location(root=tmp_path))) as stores:
            live = live_generation(stores, "points")
            assert live is not None
            info = stores.info(live)
            numbers.append(number_of(info.checkpoints))
            assert info.rows == POINTS_PER_EVENT * numbers[-1]
    assert numbers == sorted(numbers)
    assert numbers[-1] > 0
    assert live is not None
    with closing(DuckLakeStores(Location(root=tmp_path))) as stores:
        assert stores.digests(live) == digests_at_once(stores, numbers[-1])
        files = set(tmp_path.glob("series-1/files/**/*.parquet"))
        with stores.open(live) as store:
            store._upkeep.expire(keep=0)
            store._upkeep.delete_orphans(keep=0)
            known = store._connection.execute(
                "SELECT data_file FROM ducklake_list_files('lake', 'series')"
            ).fetchall()
        assert {str(f) for f in tmp_path.glob("series-1/files/**/*.parquet")} == {
            name for (name,) in known
        }
        assert len(known) <= len(files)


@pytest.mark.slow
def test_generations_can_be_used_and_dropped_after_every_kill(tmp_path: Path) -> None:
    rng = random.Random(6)
    for _ in range(KILLS):
        run_and_kill(tmp_path, "create", rng.random())
        with closing(DuckLakeStores(Location(root=tmp_path))) as stores:
            for generation in stores.generations("points"):
                assert stores.info(generation).rows in {0, POINTS_PER_EVENT}
                with stores.open(generation) as store:
                    assert len(store.checkpoints()) in {0, 1}
                stores.drop(generation)
            stores.drop_retired()
            assert [path.name for path in tmp_path.glob("series-*")] == []
            assert [path.name for path in (tmp_path / "locks").iterdir()] == []
            made = stores.create(POINTS, Role.BUILDING)
            stores.drop(made)
