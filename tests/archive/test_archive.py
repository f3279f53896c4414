"""The archive: what is sealed is read back, once, whole, and in order, or an error names it."""

from __future__ import annotations

import os
import random
from functools import partial
from pathlib import Path

import pytest

from adapters.archive import open_archive
from adapters.archive.manifest import ROLL_UP, Manifest
from application.errors import ArchiveConflict, ArchiveDamaged, LogGap, LogUnfit
from application.event_log.archive import CHAIN_START, Step, chained
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from tests.archive.conftest import OpenArchive
from tests.archive.support import CODEC, NOW, entries


class Killed(BaseException):
    """The process died."""


def chain_of(all_entries: list[Entry]) -> bytes:
    chain = CHAIN_START
    for entry in all_entries:
        chain = chained(chain, CODEC.digest(entry))
    return chain


def test_a_new_archive_is_empty(opened: OpenArchive) -> None:
    archive = opened()
    assert archive.identity() is None
    stream = archive.partition(3)
    assert (stream.end().last, stream.end().number, stream.end().chain) == (None, 0, CHAIN_START)
    assert list(stream.segments()) == []
    assert list(stream.read(0, 10)) == []
    assert stream.find(Receipt(3, 1, 0)) is None
    assert stream.number_at(10**18) == 0


def test_an_archive_belongs_to_one_log(opened: OpenArchive) -> None:
    opened().claim("a log", 16)
    opened().claim("a log", 16)
    assert opened().identity() == ("a log", 16)
    for other in (("another", 16), ("a log", 4)):
        with pytest.raises(LogUnfit, match="another log"):
            opened().claim(*other)


def test_what_was_sealed_is_read_back_by_another_process(opened: OpenArchive) -> None:
    known = entries(500, size=3000)
    parts = [known[:1], known[1:300], known[300:]]
    stream = opened().partition(3)
    for part in parts:
        segment = stream.seal(part, NOW)
        assert (segment.first, segment.last) == (part[0].receipt, part[-1].receipt)
        assert segment.entries == len(part)
    again = opened().partition(3)
    assert again.end().number == len(known)
    assert again.end().last == known[-1].receipt
    assert again.end().chain == chain_of(known)
    assert again.end().digest == CODEC.digest(known[-1])
    assert [s.number for s in again.segments()] == [1, 2, 301]
    assert [e for s in again.segments() for e in again.entries(s)] == known
    source = random.Random(1)
    for _ in range(60):
        place, limit = source.randrange(len(known)), source.randrange(1, 400)
        after = known[place].receipt.position - source.randrange(2)
        wanted = [e for e in known if e.receipt.position > after][:limit]
        assert list(again.read(after, limit)) == wanted
        assert again.number_at(after) == sum(e.receipt.position <= after for e in known)
        assert again.find(known[place].receipt) == known[place]
    assert again.find(Receipt(3, known[5].receipt.milliseconds, 99)) is None
    fields = next(iter(again.read(0, 1))).fields
    assert list(fields) == list(known[0].fields), "in order"


def test_streams_are_apart(opened: OpenArchive) -> None:
    archive = opened()
    archive.partition(3).seal(entries(5), NOW)
    archive.organizations().seal(entries(7, partition=0), NOW)
    assert archive.partition(4).end().number == 0
    assert opened().organizations().end().number == 7


def test_entries_must_follow_the_end(opened: OpenArchive) -> None:
    stream = opened().partition(3)
    stream.seal(entries(5, start=1000), NOW)
    for wrong in (entries(5, start=1), [entries(2, start=9000)[0]] * 2):
        with pytest.raises(ArchiveConflict):
            stream.seal(wrong, NOW)
    with pytest.raises(ValueError, match="at least one"):
        stream.seal([], NOW)
    assert opened().partition(3).end().number == 5


def test_of_two_writers_one_wins_and_the_other_is_told(opened: OpenArchive) -> None:
    """The stale one is told even if it wrote last, and wherever it stopped."""
    known = entries(30)
    one, other = opened().partition(3), opened().partition(3)
    assert one.end() == other.end()
    one.seal(known[:20], NOW)
    with pytest.raises(ArchiveConflict):
        other.seal(known[:10], NOW + 1)
    other.refresh()
    assert other.end().number == 20
    other.seal(known[20:], NOW)
    with pytest.raises(ArchiveConflict):
        one.seal(known[20:21], NOW)
    last = opened().partition(3)
    assert [e for s in last.segments() for e in last.entries(s)] == known


@pytest.mark.parametrize("step", [s for s in Step if s not in {Step.ENTRIES_READ, Step.TRIMMED}])
def test_a_death_after_any_step_loses_and_doubles_nothing(
    opened: OpenArchive, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.archive.stream.Manifest", small_manifest)
    known = entries(40)
    before = opened().partition(3)
    before.seal(known[:10], NOW)
    before.seal(known[10:20], NOW)

    def die(reached: Step) -> None:
        if reached == step:
            raise Killed

    with pytest.raises(Killed):
        opened(die).partition(3).seal(known[20:30], NOW)
    again = opened().partition(3)
    sealed = again.end().number
    assert sealed in {20, 30}
    again.seal(known[sealed:], NOW)
    last = opened()
    stream = last.partition(3)
    assert [e for s in stream.segments() for e in stream.entries(s)] == known
    assert stream.end().chain == chain_of(known)
    swept = set(last.sweep(2**62))
    assert [e for s in stream.segments() for e in stream.entries(s)] == known
    assert not swept & {s.file for s in stream.segments()}


small_manifest = partial(Manifest, roll_up=3)


def test_a_long_manifest_is_rolled_up_and_read_alike(
    opened: OpenArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ROLL_UP > 3
    monkeypatch.setattr("adapters.archive.stream.Manifest", small_manifest)
    known = entries(80)
    stream, watching = opened().partition(3), opened().partition(3)
    for number in range(8):
        stream.seal(known[number * 10 : number * 10 + 10], NOW)
        assert watching.refresh().number == number * 10 + 10
    assert [s.number for s in opened().partition(3).segments()] == list(range(1, 80, 10))


def test_files_that_no_manifest_names_are_swept_once_they_are_old(opened: OpenArchive) -> None:
    def die(reached: Step) -> None:
        if reached is Step.SEGMENT_CHECKED:
            raise Killed

    opened().partition(3).seal(entries(3), NOW)
    with pytest.raises(Killed):
        opened(die).partition(3).seal(entries(3, start=9000), NOW)
    archive = opened()
    assert list(archive.sweep(0)) == []
    [swept] = archive.sweep(2**62)
    assert "9" in swept
    assert opened().partition(3).end().number == 3


def test_erased_events_keep_their_places_and_digests(opened: OpenArchive) -> None:
    known = entries(50)
    stream = opened().partition(3)
    stream.seal(known[:20], NOW)
    stream.seal(known[20:], NOW)
    end = stream.end()
    for segment in stream.segments():
        rewritten = stream.rewrite(segment, b"gilt", NOW)
        assert rewritten is not None
        assert stream.rewrite(rewritten, b"nobody", NOW) is None
    again = opened().partition(3)
    assert again.end() == end
    found = [e for s in again.segments() for e in again.entries(s)]
    assert [e.receipt for e in found] == [e.receipt for e in known]
    assert list(map(CODEC.digest, found)) == list(map(CODEC.digest, known))
    for entry, former in zip(found, known, strict=True):
        if former.fields[b"organization"] == b"gilt":
            assert (entry.fields, entry.erased) == ({}, CODEC.digest(former))
        else:
            assert entry == former
    assert {s.erased > 0 for s in again.segments()} == {True}
    again.seal(entries(3, start=10**6), NOW)


def test_an_accepted_loss_is_part_of_the_chain(opened: OpenArchive) -> None:
    known = entries(10)
    stream = opened().partition(3)
    stream.seal(known[:4], NOW)
    chain = stream.end().chain
    stream.accept_loss(known[6].receipt, 2, 0, NOW)
    assert stream.end().number == 6
    assert stream.end().chain != chain
    stream.seal(known[6:], NOW)
    again = opened().partition(3)
    [loss] = again.losses()
    assert (loss.after, loss.before, loss.entries) == (known[3].receipt, known[6].receipt, 2)
    assert [s.number for s in again.segments()] == [1, 7]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_a_file_has_all_its_bytes_on_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(fd: int) -> None:
        done.append(f"fsync {Path(f'/proc/self/fd/{fd}').readlink().name.split('_')[0]}")
        fsync(fd)

    def noted_replace(self: Path, target: Path) -> Path:
        done.append(f"rename {target.name.split('_')[0]}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    archive = open_archive(str(tmp_path / "archive"), CODEC.digest)
    archive.partition(3).seal(entries(3), NOW)
    archive.close()
    [segment] = [each for each in done if each.startswith("rename 1")]
    place = done.index(segment)
    assert done[place - 1].startswith("fsync .1")
    assert done[place + 1 : place + 4] == ["fsync 3", "fsync segments", "fsync archive"]
    place = done.index("rename 00000001")
    assert done[place - 1].startswith("fsync .00000001")
    assert done[place + 1] == "fsync 3"


class TestDamage:
    """Damage is an error that names the file, never other entries."""

    @pytest.fixture
    def place(self, directory: Path) -> str:
        return str(directory)

    @pytest.fixture
    def known(self, opened: OpenArchive) -> list[Entry]:
        known = entries(2000, size=1000)
        stream = opened().partition(3)
        for start in range(0, 2000, 500):
            stream.seal(known[start : start + 500], NOW)
        return known

    def test_a_missing_segment_is_a_gap_that_is_named(
        self, opened: OpenArchive, directory: Path, known: list[Entry]
    ) -> None:
        lost = opened().partition(3).segments()[1]
        (directory / lost.file).unlink()
        stream = opened().partition(3)
        assert list(stream.read(0, 2000)) == known[:500]
        for act in (
            lambda: stream.read(lost.first.position - 1, 10),
            lambda: stream.find(lost.last),
            lambda: list(stream.entries(lost)),
        ):
            with pytest.raises(LogGap) as gap:
                act()
            assert (gap.value.first, gap.value.last) == (lost.first, lost.last)
            assert lost.file in str(gap.value)
        assert list(stream.read(lost.last.position, 2000)) == known[1000:]

    def test_a_bit_flipped_anywhere_is_noticed(
        self, opened: OpenArchive, directory: Path, known: list[Entry]
    ) -> None:
        segment = opened().partition(3).segments()[0]
        file = directory / segment.file
        content = file.read_bytes()
        source = random.Random(2)
        places = {0, 5, len(content) - 1, len(content) - 20, len(content) // 2}
        places |= {source.randrange(len(content)) for _ in range(40)}
        for place in places:
            broken = bytearray(content)
            broken[place] ^= 1 << source.randrange(8)
            file.write_bytes(broken)
            stream = opened().partition(3)
            with pytest.raises(ArchiveDamaged, match=file.name):
                list(stream.entries(segment))
            try:
                found = list(stream.read(0, 500))
            except ArchiveDamaged as error:
                assert file.name in str(error)  # noqa: PT017
            else:
                assert found == known[:500], "nothing that was read had changed"

    @pytest.mark.parametrize("left", [0, 3, 20, 5000, -1])
    def test_a_segment_cut_short_is_noticed(
        self, opened: OpenArchive, directory: Path, known: list[Entry], left: int
    ) -> None:
        segment = opened().partition(3).segments()[0]
        file = directory / segment.file
        file.write_bytes(file.read_bytes()[:left])
        stream = opened().partition(3)
        with pytest.raises(ArchiveDamaged, match=file.name):
            list(stream.entries(segment))
        with pytest.raises(ArchiveDamaged):
            stream.read(0, 500)

    def test_a_damaged_or_missing_manifest_entry_is_named(
        self, opened: OpenArchive, directory: Path, known: list[Entry]
    ) -> None:
        entry = sorted((directory / "manifest/3").iterdir())[1]
        content = entry.read_bytes()
        entry.write_bytes(content[:-2] + b"1}")
        with pytest.raises(ArchiveDamaged, match=entry.name):
            opened().partition(3).refresh()
        entry.unlink()
        with pytest.raises(ArchiveDamaged, match="00000002 is missing"):
            opened().partition(3).refresh()

    def test_a_manifest_entry_twice_does_no_harm(
        self, opened: OpenArchive, directory: Path, known: list[Entry]
    ) -> None:
        entry = sorted((directory / "manifest/3").iterdir())[1]
        content = entry.read_bytes()
        digest = entry.name.partition("_")[2]
        (entry.parent / f"00000099_{digest}").write_bytes(content)
        stream = opened().partition(3)
        assert stream.end().number == 2000
        assert list(stream.read(0, 3000)) == known

    def test_a_segment_torn_by_a_crash_is_written_again(
        self, opened: OpenArchive, directory: Path, known: list[Entry]
    ) -> None:
        def die(reached: Step) -> None:
            if reached is Step.SEGMENT_WRITTEN:
                raise Killed

        more = entries(20, start=10**6)
        with pytest.raises(Killed):
            opened(die).partition(3).seal(more, NOW)
        torn = max((directory / "segments/3").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        torn.write_bytes(b"")
        stream = opened().partition(3)
        stream.seal(more, NOW)
        assert list(stream.read(known[-1].receipt.position, 100)) == more
