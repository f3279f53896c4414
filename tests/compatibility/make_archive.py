"""Archive a small archive of format 1, written by the release checked out at RELEASE.

    PYTHONPATH=RELEASE python tests/compatibility/make_archive.py NAME.tar.xz

The release is one from before format 2. What the streams hold is also written, as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import tarfile
import tempfile
from itertools import pairwise
from pathlib import Path

from adapters.archive import open_archive
from adapters.archive.stream import ObjectStream
from adapters.event_format.codec import MetricEventCodec
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

NOW = 1_700_000_000_000
FULL, BRANCHED = 0, 1
"""Partitions: one with every kind of entry and a roll-up, and one with two branches."""

ROLL_UP = 4
"""Entries of a roll-up: a few, to keep the archive small."""


def entry(partition: int, number: int) -> Entry:
    fields = {
        b"topic": b"metrics.published.v1",
        b"organization": (b"gilt", b"acme")[number % 2],
        b"payload": b"%d" % number * 100,
        b"": b"",
    }
    return Entry(Receipt(partition, 1000 + number // 3, number % 3), fields)


def expected(stream: ObjectStream) -> dict[str, object]:
    """Return what must be read back; the chain covers every byte of every event."""
    end = stream.refresh()
    entries = stream.read(0, 10**6)
    return {
        "entries": len(entries),
        "erased": [str(entry.receipt) for entry in entries if entry.erased is not None],
        "number": end.number,
        "chain": end.chain.hex(),
        "offset": end.offset,
        "losses": [[str(loss.before), loss.entries] for loss in stream.losses()],
    }


def make(root: Path) -> dict[str, object]:
    digest = MetricEventCodec().digest
    archive = open_archive(str(root), digest)
    archive.claim("a log", 16)
    full, branched = archive.partition(FULL), archive.partition(BRANCHED)
    full._manifest._roll_up = ROLL_UP
    # The first segment has several frames.
    ends = (0, 6000, 6003, 6050, 6100)
    for start, end in pairwise(ends):
        full.seal([entry(FULL, number) for number in range(start, end)], NOW)
    full.accept_loss(entry(FULL, 6110).receipt, 10, 7, NOW)
    full.seal([entry(FULL, number) for number in range(6110, 6150)], NOW)
    full.rewrite(full.segments()[1], b"gilt", NOW)
    full.rewrite(full.segments()[-1], b"acme", NOW)
    full.seal([entry(FULL, number) for number in range(6150, 6160)], NOW)

    branched.seal([entry(BRANCHED, number) for number in range(20)], NOW)
    longer = root.with_name("longer")
    shutil.copytree(root, longer)
    branched.seal([entry(BRANCHED, number) for number in range(20, 30)], NOW)
    other = open_archive(str(longer), digest)
    other.partition(BRANCHED).seal([entry(BRANCHED, number) for number in range(20, 50)], NOW)
    other.close()
    shutil.copytree(longer, root, dirs_exist_ok=True)
    shutil.rmtree(longer)

    # A process that died while it wrote.
    for directory in ("manifest", "segments"):
        (root / directory / str(FULL) / ".00000300_00.json.0123abcd.part").write_bytes(b"{")
    found: dict[str, object] = {"full": expected(full), "branched": expected(branched)}
    archive.close()
    return found


def main() -> None:
    target = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="cave-") as place:
        root = Path(place) / "archive"
        found = make(root)
        (Path(place) / "expected.json").write_text(json.dumps(found))
        with tarfile.open(target, "w:xz") as tar:
            tar.add(root, "archive")
            tar.add(Path(place) / "expected.json", "expected.json")
    print(target, target.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
