"""The reader in docs/archive-format.md reads whatever an archive may have."""

from __future__ import annotations

import ast
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from adapters.archive import ObjectArchive
from adapters.archive.objects import open_objects
from application.event_log.archive import ArchivedStream, Step
from tests.contracts.archive_places import NOW, PARTITION, Killed, digest, dying_after, entries
from tests.docs.markdown import ROOT, blocks

FORMAT_1 = ROOT / "tests" / "compatibility" / "archive_format_1.tar.xz"


def read_as_documented(root: Path, partition: int = PARTITION) -> list[tuple[str, list[bytes] | bytes]]:
    """Return the first two fields of each event, or its former digest, by its id."""
    (reader,) = blocks(ROOT / "docs" / "archive-format.md", "python")
    command = [sys.executable, "-c", reader, str(root), str(partition)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = (line.partition(" ") for line in done.stdout.splitlines())
    return [(name, ast.literal_eval(value)) for name, _, value in lines]


def expected(stream: ArchivedStream) -> list[tuple[str, list[bytes] | bytes]]:
    found: list[tuple[str, list[bytes] | bytes]] = []
    for entry in stream.read(0, 10**6):
        name = f"{entry.receipt.milliseconds}-{entry.receipt.sequence}"
        parts = [part for field in list(entry.fields.items())[:2] for part in field]
        # The page's reader shows the first four elements of a list or of a digest.
        found.append((name, parts if entry.erased is None else entry.erased[:4]))
    return found


def test_the_reader_knows_every_kind_of_entry(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    known = entries(3000)

    def opened(*dying: Step) -> ObjectArchive:
        on_step = dying_after(dying[0]) if dying else lambda step: None
        return ObjectArchive(open_objects(str(root)), digest, on_step, roll_up=4)

    with closing(opened()) as archive:
        stream = archive.partition(PARTITION)
        for start in range(0, 2000, 200):
            stream.seal(known[start : start + 200], NOW)
        # A roll-up that was not finished: entries occur twice.
        with closing(opened(Step.ROLLUP_WRITTEN)) as dying, pytest.raises(Killed):
            for start in range(2000, 2800, 200):
                dying.partition(PARTITION).seal(known[start : start + 200], NOW)
        end = stream.refresh()
        stream.accept_loss(known[end.number + 10].receipt, 10, 0, NOW)
        stream.seal(known[end.number + 10 :], NOW)
        assert stream.rewrite(stream.segments()[2], b"gilt", NOW) is not None
        assert read_as_documented(root) == expected(stream)
        assert len(expected(stream)) == 2990


def test_the_reader_reads_format_1(tmp_path: Path) -> None:
    with tarfile.open(FORMAT_1) as tar:
        tar.extractall(tmp_path, filter="data")
    root = tmp_path / "archive"
    with closing(ObjectArchive(open_objects(str(root)), digest)) as archive:
        for partition in (0, 1):
            stream = archive.partition(partition)
            assert read_as_documented(root, partition) == expected(stream)


def test_the_reader_chooses_the_branch_that_cave_chooses(tmp_path: Path) -> None:
    root, other_root = tmp_path / "archive", tmp_path / "other"
    known = entries(100)
    with (
        closing(ObjectArchive(open_objects(str(root)), digest)) as archive,
        closing(ObjectArchive(open_objects(str(other_root)), digest)) as other,
    ):
        for one in (archive, other):
            one.partition(PARTITION).seal(known[:40], NOW)
        # Two processes that knew of the first segment only: their files are put together.
        stream = archive.partition(PARTITION)
        assert stream.rewrite(stream.segments()[0], b"gilt", NOW) is not None
        stream.seal(known[40:60], NOW)
        other.partition(PARTITION).seal(known[40:], NOW)
        for file in other_root.rglob("*_*"):
            path = root / file.relative_to(other_root)
            if not path.exists() and "1000-1_" not in file.name:
                path.write_bytes(file.read_bytes())
        stream.refresh()
        assert read_as_documented(root) == expected(stream)
        found = list(stream.read(0, 1000))
        assert [entry.receipt for entry in found] == [entry.receipt for entry in known]
        assert any(entry.erased for entry in found[:40]), "the rewrite is on the other branch"
