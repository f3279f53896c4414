"""Damage is an error that names the file; never are other entries returned."""

from __future__ import annotations

import json
import random
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from adapters.archive.segments import FOOTER, MAGIC, index_of
from application.errors import ArchiveDamaged, LogUnfit
from application.event_log.archive import ArchivedStream, Segment, Step
from application.event_log.ports import Entry
from tests.archive.places import ObjectsPlace
from tests.contracts.archive_places import (
    NOW,
    PARTITION,
    Killed,
    chain_of,
    dying_after,
    entries,
    entries_in,
)

MANIFEST = f"manifest/{PARTITION}"


@pytest.fixture
def place(directory_place: ObjectsPlace) -> ObjectsPlace:
    return directory_place


@pytest.fixture
def known(place: ObjectsPlace) -> list[Entry]:
    """3000 entries in three segments, each with several frames."""
    known = entries(3000, size=2000)
    stream = place.open().partition(PARTITION)
    for start in range(0, 3000, 1000):
        stream.seal(known[start : start + 1000], NOW)
    return known


def opened(place: ObjectsPlace) -> ArchivedStream:
    """Return the stream as another process sees it, which has read nothing of it."""
    return place.open().partition(PARTITION)


def check(place: ObjectsPlace, segment: Segment, known: list[Entry]) -> None:
    """Check that damage to a segment is noticed: always when it is verified, else when it matters.

    `known` are its entries.
    """
    stream = opened(place)
    with pytest.raises(ArchiveDamaged, match=Path(segment.file).name):
        list(stream.entries(segment))
    after = known[0].receipt.position - 1
    found: list[Entry] = []
    try:
        while len(found) < len(known):
            found += stream.read(after, min(300, len(known) - len(found)))
            after = found[-1].receipt.position
    except ArchiveDamaged as error:
        assert segment.file in str(error)  # noqa: PT017
    assert found == known[: len(found)]
    for entry in known[::200]:
        try:
            assert stream.find(entry.receipt) == entry
            assert stream.number_at(entry.receipt.position) == segment.number + known.index(entry)
        except ArchiveDamaged as error:
            assert segment.file in str(error)  # noqa: PT017


def parts_of(content: bytes) -> dict[str, range]:
    """Return where the parts of a segment are."""
    length = FOOTER.unpack(content[-FOOTER.size :])[1]
    end = len(content) - FOOTER.size
    return {
        "header": range(len(MAGIC)),
        "frames": range(len(MAGIC), end - length),
        "index": range(end - length, end),
        "footer": range(end, len(content)),
    }


@pytest.mark.parametrize("part", ["header", "frames", "index", "footer"])
def test_a_flipped_bit_is_noticed(
    place: ObjectsPlace, directory: Path, known: list[Entry], part: str
) -> None:
    segment = opened(place).segments()[1]
    file = directory / segment.file
    content = file.read_bytes()
    source = random.Random(part)
    for at in source.sample(parts_of(content)[part], 8):
        broken = bytearray(content)
        broken[at] ^= 1 << source.randrange(8)
        file.write_bytes(broken)
        check(place, segment, known[1000:2000])


@pytest.mark.parametrize("part", ["header", "frames", "index", "footer"])
def test_a_segment_cut_short_is_noticed(
    place: ObjectsPlace, directory: Path, known: list[Entry], part: str
) -> None:
    segment = opened(place).segments()[1]
    file = directory / segment.file
    content = file.read_bytes()
    for left in (parts_of(content)[part].start, parts_of(content)[part][-1]):
        file.write_bytes(content[:left])
        with pytest.raises(ArchiveDamaged, match=file.name):
            opened(place).read(known[1000].receipt.position - 1, 10)
        check(place, segment, known[1000:2000])


def test_bytes_that_were_added_are_noticed(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    segment = opened(place).segments()[1]
    file = directory / segment.file
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(ArchiveDamaged, match=file.name):
        list(opened(place).entries(segment))


def test_another_segment_in_its_place_is_noticed(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    segments = opened(place).segments()
    (directory / segments[1].file).write_bytes((directory / segments[0].file).read_bytes())
    check(place, segments[1], known[1000:2000])
    with pytest.raises(ArchiveDamaged):
        opened(place).read(known[1000].receipt.position - 1, 10)


def test_what_comes_before_the_damage_is_read_then_it_is_named(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    segment = opened(place).segments()[1]
    (directory / segment.file).write_bytes(b"")
    stream = opened(place)
    assert list(stream.read(0, 5000)) == known[:1000]
    with pytest.raises(ArchiveDamaged, match=Path(segment.file).name):
        stream.read(known[999].receipt.position, 10)
    assert list(stream.read(known[1999].receipt.position, 5000)) == known[2000:]


def test_a_missing_entry_of_the_manifest_is_named(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    for missing in sorted((directory / MANIFEST).iterdir())[:-1]:
        content = missing.read_bytes()
        missing.unlink()
        with pytest.raises(ArchiveDamaged, match=f"{missing.name} is missing"):
            opened(place).refresh()
        missing.write_bytes(content)
    assert opened(place).refresh().number == 3000


def test_a_process_that_knew_more_of_the_manifest_notices_that_its_end_is_gone(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    stream = opened(place)
    stream.refresh()
    last = max((directory / MANIFEST).iterdir())
    last.unlink()
    with pytest.raises(ArchiveDamaged, match="lost"):
        stream.refresh()


def test_a_damaged_entry_of_the_manifest_is_named(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    for file in sorted((directory / MANIFEST).iterdir()):
        content = file.read_bytes()
        for broken in (b"", content[:-1], content[:-2] + b"1}", content + b"\n"):
            file.write_bytes(broken)
            with pytest.raises(ArchiveDamaged, match=file.name):
                opened(place).refresh()
        file.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"number": 5}, "00000005 is wrong"),
        ({"first_number": 77}, "does not continue"),
        ({"first": [1, 0]}, "does not continue"),
        ({"chain_before": "00" * 32}, "does not continue"),
        ({"last": "x"}, "cannot be read"),
        ({"chain": "x"}, "is wrong"),
        ({"kind": "rewrite", "replaces": "00" * 32}, "replaces a segment that is not there"),
        ({"kind": "unheard-of"}, "cannot be read"),
        ({"sha256": 1}, "cannot be read"),
    ],
)
def test_an_entry_that_contradicts_the_one_before_it_is_named(
    place: ObjectsPlace,
    directory: Path,
    known: list[Entry],
    change: dict[str, object],
    error: str,
) -> None:
    last = max((directory / MANIFEST).iterdir())
    line = json.dumps({**json.loads(last.read_bytes()), **change}).encode()
    last.unlink()
    (last.parent / f"00000003_{sha256(line).hexdigest()}.json").write_bytes(line)
    with pytest.raises(ArchiveDamaged, match=error):
        opened(place).refresh()


def test_the_same_entry_twice_does_no_harm(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    for file in sorted((directory / MANIFEST).iterdir()):
        (file.parent / f"00000099_{file.name.partition('_')[2]}").write_bytes(file.read_bytes())
    stream = opened(place)
    assert stream.refresh().number == 3000
    assert list(stream.read(0, 5000)) == known


def test_members_that_are_unknown_are_ignored(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    last = max((directory / MANIFEST).iterdir())
    line = json.dumps({**json.loads(last.read_bytes()), "later": [1]}).encode()
    last.unlink()
    (last.parent / f"00000003_{sha256(line).hexdigest()}.json").write_bytes(line)
    assert opened(place).refresh().number == 3000


def with_index(content: bytes, **members: object) -> bytes:
    """Return a segment with members added to its index."""
    length = FOOTER.unpack(content[-FOOTER.size :])[1]
    end = len(content) - FOOTER.size
    index = {**msgspec.msgpack.decode(content[end - length : end]), **members}
    packed = msgspec.msgpack.encode(index)
    footer = FOOTER.pack(sha256(packed).digest(), len(packed), MAGIC)
    return content[: end - length] + packed + footer


def test_the_format_of_a_newer_release_is_refused_as_such(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    segment = opened(place).segments()[0]
    newer = with_index((directory / segment.file).read_bytes(), format=3, number="another type")
    with pytest.raises(LogUnfit, match="has format 3: this release reads up to format 2"):
        index_of(segment.file, newer)
    last = max((directory / MANIFEST).iterdir())
    line = b'{"format":3,"kind":"unheard-of"}'
    (last.parent / f"00000004_{sha256(line).hexdigest()}.json").write_bytes(line)
    with pytest.raises(LogUnfit, match="has format 3"):
        opened(place).refresh()
    (directory / "archive.json").write_bytes(b'{"format":2,"log":"log","partitions":16}')
    for act in (place.open().identity, lambda: place.open().claim("log", 16)):
        with pytest.raises(LogUnfit, match="has format 2"):
            act()


def test_an_index_may_have_more_members(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:

    segment = opened(place).segments()[0]
    content = (directory / segment.file).read_bytes()
    length = FOOTER.unpack(content[-FOOTER.size :])[1]
    end = len(content) - FOOTER.size
    frames = msgspec.msgpack.decode(content[end - length : end])["frames"]
    changed = with_index(content, later=1, frames=[[*frame, "later"] for frame in frames])
    assert index_of("file", changed).frames == index_of("file", content).frames


@pytest.mark.parametrize("content", [b"", b"{", b'{"format":1}', b"[]"])
def test_an_identity_that_cannot_be_read_is_named(
    place: ObjectsPlace, directory: Path, content: bytes
) -> None:
    place.open().claim("log", 16)
    (directory / "archive.json").write_bytes(content)
    with pytest.raises(ArchiveDamaged, match=r"archive\.json"):
        place.open().claim("log", 16)


def test_an_archive_that_lost_its_identity_is_not_claimed(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    with pytest.raises(ArchiveDamaged, match=r"archive\.json is missing"):
        place.open().claim("another", 16)


def test_a_segment_torn_by_a_crash_is_written_again(
    place: ObjectsPlace, directory: Path, known: list[Entry]
) -> None:
    more = entries(20, start=10**7)
    with pytest.raises(Killed):
        place.open(dying_after(Step.SEGMENT_WRITTEN)).partition(PARTITION).seal(more, NOW)
    named = {segment.file for segment in opened(place).segments()}
    [torn] = [
        file
        for file in (directory / "segments").rglob("*.seg")
        if str(file.relative_to(directory)) not in named
    ]
    torn.write_bytes(torn.read_bytes()[:10])
    opened(place).seal(more, NOW)
    assert entries_in(opened(place)) == [*known, *more]
    assert opened(place).end().chain == chain_of([*known, *more])
