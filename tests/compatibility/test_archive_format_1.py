"""An archive of format 1, whose indices have no digest, is read, continued and erased from.

`make_archive.py` created `archive_format_1.tar.xz` with a release that wrote that format.
"""

from __future__ import annotations

import json
import random
import tarfile
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.archive import ObjectArchive, open_archive
from adapters.archive.segments import FOOTER_1, MAGIC_1
from adapters.event_format.codec import MetricEventCodec
from application.errors import ArchiveDamaged
from application.event_log.archive import CHAIN_START, ArchivedStream, chained
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from tests.contracts.archive_places import EVER, NOW, entries_in

FIXTURE = Path(__file__).with_name("archive_format_1.tar.xz")
STREAMS = ("full", "branched")
"""The streams of the first partitions: one with every kind of entry, one with two branches."""

digest = MetricEventCodec().digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    with tarfile.open(FIXTURE) as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path / "archive"


@pytest.fixture
def expected(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root.parent / "expected.json").read_bytes())
    return found


@pytest.fixture
def archive(root: Path) -> Iterator[ObjectArchive]:
    with closing(open_archive(str(root), digest)) as opened:
        yield opened


def check(stream: ArchivedStream, expected: dict[str, Any]) -> None:
    """Check that a stream has what it had when it was written."""
    end = stream.end()
    assert (end.number, end.chain.hex(), end.offset) == (
        expected["number"],
        expected["chain"],
        expected["offset"],
    )
    losses = [[str(loss.before), loss.entries] for loss in stream.losses()]
    assert losses == expected["losses"]
    found = list(stream.read(0, 10**6))
    assert found == entries_in(stream)
    assert len(found) == expected["entries"]
    assert [str(entry.receipt) for entry in found if entry.erased] == expected["erased"]
    for segment in stream.segments():
        chain = segment.chain_before
        for entry in stream.entries(segment):
            chain = chained(chain, digest(entry))
        assert chain == segment.chain
    for entry in found[::97]:
        assert stream.find(entry.receipt) == entry


def test_it_is_read(archive: ObjectArchive, expected: dict[str, Any]) -> None:
    archive.claim("a log", 16)
    assert archive.partition(0).segments()[0].chain_before == CHAIN_START
    for partition, name in enumerate(STREAMS):
        check(archive.partition(partition), expected[name])


def test_it_is_continued_and_swept(
    root: Path, archive: ObjectArchive, expected: dict[str, Any]
) -> None:
    for partition, name in enumerate(STREAMS):
        stream = archive.partition(partition)
        later = Receipt(partition, stream.end().position // 2**20 + 1, 0)
        segment = stream.seal([Entry(later, {b"organization": b"gilt"})], NOW)
        assert segment.chain_before.hex() == expected[name]["chain"]
    archive.sweep(EVER)
    assert not list(root.rglob("*.part"))
    with closing(open_archive(str(root), digest)) as again:
        for partition, name in enumerate(STREAMS):
            stream = again.partition(partition)
            assert stream.end().number == expected[name]["number"] + 1
            assert len(entries_in(stream)) == expected[name]["entries"] + 1


def test_an_organization_is_erased_from_it(
    root: Path, archive: ObjectArchive, expected: dict[str, Any]
) -> None:
    stream = archive.partition(0)
    for segment in stream.segments():
        stream.rewrite(segment, b"gilt", NOW)
    with closing(open_archive(str(root), digest)) as again:
        found = entries_in(again.partition(0))
        assert len(found) == expected["full"]["entries"]
        assert not any(entry.fields.get(b"organization") == b"gilt" for entry in found)
        assert again.partition(0).end().chain.hex() == expected["full"]["chain"]


def index_of_frames(content: bytes) -> range:
    """Return where the index of a segment is, with the footer behind it."""
    length, magic = FOOTER_1.unpack(content[-FOOTER_1.size :])
    assert magic == MAGIC_1
    start = len(content) - FOOTER_1.size - length
    assert len(msgspec.msgpack.decode(content[start : start + length])["frames"]) > 1
    return range(start, len(content))


def test_a_flipped_bit_of_an_index_hides_no_events(root: Path, archive: ObjectArchive) -> None:
    segment = archive.partition(0).segments()[0]
    known = list(archive.partition(0).entries(segment))
    file = root / segment.file
    content = file.read_bytes()
    source = random.Random(1)
    bits = [(at, bit) for at in index_of_frames(content) for bit in range(8)]
    for at, bit in source.sample(bits, 300):
        broken = bytearray(content)
        broken[at] ^= 1 << bit
        file.write_bytes(broken)
        with closing(open_archive(str(root), digest)) as again:
            stream = again.partition(0)
            for act in (
                partial(stream.read, 0, 10),
                partial(stream.find, known[-1].receipt),
                partial(stream.number_at, known[-2].receipt.position),
            ):
                with pytest.raises(ArchiveDamaged, match=file.name):
                    act()
