"""The contracts of Archive and ArchivedStream, for every adapter."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.errors import ArchiveConflict, LogGap, LogUnfit
from application.event_log.archive import (
    CHAIN_START,
    Step,
)
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from tests.contracts.archive_places import (
    EVER,
    NEW_PARTITIONS,
    NOW,
    PARTITION,
    ArchivePlace,
    Killed,
    chain_of,
    digest,
    dying_after,
    entries,
    entries_in,
)

SEALING = [
    Step.SEGMENT_WRITTEN,
    Step.SEGMENT_CHECKED,
    Step.MANIFEST_WRITTEN,
    Step.MANIFEST_CHECKED,
]


fields = st.dictionaries(
    st.binary(max_size=12), st.one_of(st.binary(max_size=60), st.just(bytes(100_000))), max_size=5
)


@st.composite
def any_entries(draw: st.DrawFn) -> list[Entry]:
    """Entries with any fields, at any places."""
    places = draw(
        st.lists(
            st.tuples(st.integers(1, 2**43), st.integers(0, 2**20 - 1)),
            min_size=1,
            max_size=40,
            unique=True,
        )
    )
    return [Entry(Receipt(PARTITION, *place), draw(fields)) for place in sorted(places)]


class ArchiveContract(ABC):
    """Subclasses provide a place for each test. All archives there have the same `digest`."""

    @abstractmethod
    @pytest.fixture
    def place(self) -> ArchivePlace: ...

    @pytest.fixture
    def known(self, place: ArchivePlace) -> list[Entry]:
        """300 entries in three segments."""
        known = entries(300)
        stream = place.open().partition(PARTITION)
        for part in (known[:1], known[1:200], known[200:]):
            stream.seal(part, NOW)
        return known

    def test_a_new_archive_is_empty(self, place: ArchivePlace) -> None:
        archive = place.open()
        assert archive.identity() is None
        stream = archive.partition(PARTITION)
        end = stream.end()
        assert (end.last, end.number, end.chain, end.offset) == (None, 0, CHAIN_START, 0)
        assert (list(stream.segments()), list(stream.losses())) == ([], [])
        assert list(stream.read(0, 10)) == []
        assert stream.find(Receipt(PARTITION, 1, 0)) is None
        assert stream.number_at(EVER) == 0
        assert list(archive.sweep(EVER)) == []

    def test_it_belongs_to_one_log(self, place: ArchivePlace) -> None:
        place.open().claim("a log", 16)
        place.open().claim("a log", 16)
        assert place.open().identity() == ("a log", 16)
        for other in (("another", 16), ("a log", 4)):
            with pytest.raises(LogUnfit, match="another log"):
                place.open().claim(*other)

    def test_a_segment_is_described_by_its_entries(
        self, place: ArchivePlace, known: list[Entry]
    ) -> None:
        for stream in (place.open().partition(PARTITION), place.open().partition(PARTITION)):
            segments = stream.segments()
            assert [s.number for s in segments] == [1, 2, 201]
            assert [s.last_number for s in segments] == [1, 200, 300]
            before = 0
            for segment in segments:
                part = known[before : before + segment.entries]
                assert (segment.first, segment.last) == (part[0].receipt, part[-1].receipt)
                assert segment.chain_before == chain_of(known[:before])
                before += segment.entries
                assert segment.chain == chain_of(known[:before])
                assert segment.digest == digest(part[-1])
                assert segment.sealed_at == NOW
                assert list(stream.entries(segment)) == part
            end = stream.end()
            assert (end.last, end.number) == (known[-1].receipt, 300)
            assert (end.chain, end.digest) == (chain_of(known), digest(known[-1]))
            assert end.offset == 0

    @settings(
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.differing_executors,  # the test runs in one subclass per adapter
        ],
    )
    @given(st.data())
    def test_whatever_was_sealed_is_read_back_from_every_position(
        self, place: ArchivePlace, data: st.DataObject
    ) -> None:
        known = data.draw(any_entries())
        partition = next(NEW_PARTITIONS)
        known = [Entry(Receipt(partition, *_place(entry)), entry.fields) for entry in known]
        cuts = sorted(data.draw(st.sets(st.integers(1, len(known)), max_size=3)) | {len(known)})
        writer = place.open().partition(partition)
        for start, end in zip([0, *cuts], cuts, strict=False):
            writer.seal(known[start:end], NOW)
        stream = place.open().partition(partition)
        assert entries_in(stream) == known
        assert [list(entry.fields) for entry in stream.read(0, 99)] == [
            list(entry.fields) for entry in known
        ], "fields keep their order"
        positions = [0, EVER]
        for entry in known:
            positions += [entry.receipt.position + offset for offset in (-1, 0, 1)]
        for after in data.draw(st.lists(st.sampled_from(positions), min_size=1, max_size=9)):
            limit = data.draw(st.integers(1, 50))
            above = [entry for entry in known if entry.receipt.position > after]
            assert list(stream.read(after, limit)) == above[:limit]
            assert stream.number_at(after) == len(known) - len(above)
            receipt = Receipt.at(partition, after)
            found = [entry for entry in known if entry.receipt == receipt]
            assert stream.find(receipt) == (found[0] if found else None)

    @pytest.mark.parametrize("limit", [1, 7, 1000])
    def test_reading_on_from_the_last_entry_returns_each_once(
        self, place: ArchivePlace, known: list[Entry], limit: int
    ) -> None:
        stream = place.open().partition(PARTITION)
        found: list[Entry] = []
        while page := stream.read(found[-1].receipt.position if found else 0, limit):
            found += page
            assert len(page) == limit or len(found) == len(known)
        assert found == known

    def test_readers_in_several_threads_do_not_disturb_each_other(
        self, place: ArchivePlace, known: list[Entry]
    ) -> None:
        stream = place.open().partition(PARTITION)

        def read(seed: int) -> None:
            source = random.Random(seed)
            for _ in range(20):
                start, limit = source.randrange(300), source.randrange(1, 200)
                page = stream.read(known[start].receipt.position - 1, limit)
                assert list(page) == known[start : start + limit]

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(read, range(4)))

    def test_streams_are_apart(self, place: ArchivePlace) -> None:
        archive = place.open()
        archive.partition(PARTITION).seal(entries(5), NOW)
        archive.organizations().seal(entries(7, partition=0), NOW)
        assert archive.partition(4).end().number == 0
        assert archive.partition(0).end().number == 0
        assert place.open().organizations().end().number == 7

    def test_segments_have_entries_in_order(self, place: ArchivePlace) -> None:
        stream = place.open().partition(PARTITION)
        known = entries(5)
        wrong: list[list[Entry]] = [[], known[::-1], [known[0]] * 2, entries(3, partition=4)]
        for each in wrong:
            with pytest.raises(ValueError, match="event"):
                stream.seal(each, NOW)
        assert stream.refresh().number == 0

    def test_a_segment_follows_the_end(self, place: ArchivePlace, known: list[Entry]) -> None:
        stream = place.open().partition(PARTITION)
        for start in (0, 150, 299):
            with pytest.raises(ArchiveConflict):
                stream.seal([*known[start:], *entries(2, start=10**6)], NOW)
        assert stream.refresh().number == 300

    def test_another_process_sees_what_was_added_once_it_refreshes(
        self, place: ArchivePlace
    ) -> None:
        known = entries(20)
        stream, other = place.open().partition(PARTITION), place.open().partition(PARTITION)
        assert other.end().number == 0
        stream.seal(known[:10], NOW)
        assert (other.end().number, list(other.read(0, 99))) == (0, [])
        assert other.refresh() == stream.end()
        other.seal(known[10:], NOW)
        assert list(other.read(0, 99)) == known

    def test_a_process_that_missed_something_is_told(self, place: ArchivePlace) -> None:
        known = entries(30)
        stream, other = place.open().partition(PARTITION), place.open().partition(PARTITION)
        assert stream.end() == other.end()
        stream.seal(known[:20], NOW)
        with pytest.raises(ArchiveConflict):
            other.seal(known[:10], NOW)
        other.refresh()
        other.seal(known[20:], NOW)
        with pytest.raises(ArchiveConflict):
            stream.seal(known[20:21], NOW)
        assert entries_in(place.open().partition(PARTITION)) == known

    def test_of_writers_that_race_none_loses_or_doubles_an_entry(self, place: ArchivePlace) -> None:
        """What one writer has sealed stays sealed, whatever the others do."""
        known = entries(200)
        writers = 3
        gate = threading.Barrier(writers)

        def write(seed: int) -> None:
            source = random.Random(seed)
            stream = place.open().partition(PARTITION)
            gate.wait()
            done = stream.end().number
            while done < len(known):
                count = source.randrange(1, 40)
                try:
                    segment = stream.seal(known[done : done + count], NOW + seed)
                except ArchiveConflict:
                    done = stream.refresh().number
                    continue
                sealed = place.open().partition(PARTITION).end()
                assert sealed.number >= segment.last_number
                done = stream.refresh().number

        with ThreadPoolExecutor(writers) as threads:
            list(threads.map(write, range(writers)))
        assert entries_in(place.open().partition(PARTITION)) == known
        assert place.open().partition(PARTITION).end().chain == chain_of(known)

    @pytest.mark.parametrize("step", SEALING)
    def test_a_death_after_any_step_loses_and_doubles_nothing(
        self, place: ArchivePlace, known: list[Entry], step: Step
    ) -> None:
        more = entries(20, start=10**6)
        with pytest.raises(Killed):
            place.open(dying_after(step)).partition(PARTITION).seal(more, NOW)
        again = place.open().partition(PARTITION)
        sealed = again.end().number - len(known)
        assert sealed == (20 if step in SEALING[2:] else 0)
        if not sealed:
            again.seal(more, NOW + 1)
        stream = place.open().partition(PARTITION)
        assert entries_in(stream) == [*known, *more]
        assert stream.end().chain == chain_of([*known, *more])

    def test_the_leavings_of_a_death_are_swept_once_they_are_old(
        self, place: ArchivePlace, known: list[Entry]
    ) -> None:
        more = entries(20, start=10**6)
        with pytest.raises(Killed):
            place.open(dying_after(Step.SEGMENT_CHECKED)).partition(PARTITION).seal(more, NOW)
        archive = place.open()
        assert list(archive.sweep(0)) == []
        [swept] = archive.sweep(EVER)
        assert swept not in {segment.file for segment in archive.partition(PARTITION).segments()}
        assert list(archive.sweep(EVER)) == []
        stream = place.open().partition(PARTITION)
        assert entries_in(stream) == known
        stream.seal(more, NOW)
        assert list(stream.read(known[-1].receipt.position, 99)) == more

    def test_a_missing_segment_is_a_gap_that_is_named(
        self, place: ArchivePlace, known: list[Entry]
    ) -> None:
        stream = place.open().partition(PARTITION)
        lost = stream.segments()[1]
        place.remove(lost.file)
        assert list(stream.read(0, 99)) == known[:1], "what comes before it, then the error"
        for act in (
            lambda: stream.read(lost.first.position - 1, 10),
            lambda: stream.read(lost.last.position - 1, 10),
            lambda: stream.find(lost.last),
            lambda: stream.number_at(lost.last.position - 1),
            lambda: list(stream.entries(lost)),
        ):
            with pytest.raises(LogGap) as gap:
                act()
            assert (gap.value.first, gap.value.last) == (lost.first, lost.last)
            assert gap.value.events == lost.entries
            assert lost.file in str(gap.value)
        assert list(stream.read(lost.last.position, 999)) == known[200:]
        assert stream.number_at(lost.last.position) == 200

    def test_an_accepted_loss_is_part_of_the_chain(self, place: ArchivePlace) -> None:
        known = entries(10)
        stream = place.open().partition(PARTITION)
        with pytest.raises(ValueError, match="missing"):
            stream.accept_loss(Receipt(PARTITION, 0, 1), 1, 0, NOW)
        stream.seal(known[:4], NOW)
        chain = stream.end().chain
        loss = stream.accept_loss(known[6].receipt, 2, 40, NOW)
        assert (loss.after, loss.before) == (known[3].receipt, known[6].receipt)
        assert (loss.entries, loss.accepted_at) == (2, NOW)
        end = stream.end()
        assert (end.number, end.offset) == (6, 40)
        assert end.position == known[6].receipt.position - 1
        assert end.chain == loss.chain != chain
        stream.seal(known[6:], NOW)
        again = place.open().partition(PARTITION)
        assert list(again.losses()) == [loss]
        assert [segment.number for segment in again.segments()] == [1, 7]
        assert again.segments()[1].chain_before == loss.chain
        assert (again.end().number, again.end().offset) == (10, 40)
        assert list(again.read(0, 99)) == [*known[:4], *known[6:]]
        assert again.number_at(known[5].receipt.position) == 4

    def test_a_stream_may_begin_with_a_loss(self, place: ArchivePlace) -> None:
        known = entries(5)
        stream = place.open().partition(PARTITION)
        loss = stream.accept_loss(known[2].receipt, 2, 0, NOW)
        assert loss.after is None
        stream.seal(known[2:], NOW)
        assert place.open().partition(PARTITION).end().number == 5

    def test_erased_entries_keep_their_places_and_digests(
        self, place: ArchivePlace, known: list[Entry]
    ) -> None:
        stream, other = place.open().partition(PARTITION), place.open().partition(PARTITION)
        end = other.end()
        former = list(stream.segments())
        written = [stream.rewrite(segment, b"gilt", NOW + 1) for segment in former]
        assert None in written or len(written) == 3
        for again in (stream, other, place.open().partition(PARTITION)):
            found = list(again.read(0, 999))
            assert [entry.receipt for entry in found] == [entry.receipt for entry in known]
            for entry, before in zip(found, known, strict=True):
                if before.fields[b"organization"] == b"gilt":
                    assert (entry.fields, entry.erased) == ({}, digest(before))
                else:
                    assert entry == before
            assert again.refresh() == end
            assert entries_in(again) == found
        for old, new in zip(former, stream.segments(), strict=True):
            kept = (old.first, old.last, old.number, old.entries, old.chain_before, old.chain)
            assert (
                new.first,
                new.last,
                new.number,
                new.entries,
                new.chain_before,
                new.chain,
            ) == kept
            assert new.digest == old.digest
            assert stream.rewrite(new, b"gilt", NOW) is None
            assert stream.rewrite(new, b"nobody", NOW) is None
        assert sum(segment.erased for segment in stream.segments()) == sum(
            entry.fields[b"organization"] == b"gilt" for entry in known
        )
        assert list(place.open().sweep(EVER)) == [], "the former files are gone"
        more = entries(3, start=10**6)
        stream.seal(more, NOW)
        assert stream.end().chain == chain_of([*known, *more])

    @pytest.mark.parametrize("step", SEALING)
    def test_an_erasure_that_died_can_be_repeated(
        self, place: ArchivePlace, known: list[Entry], step: Step
    ) -> None:
        archive = place.open(dying_after(step))
        with pytest.raises(Killed):
            archive.partition(PARTITION).rewrite(
                archive.partition(PARTITION).segments()[1], b"gilt", NOW
            )
        stream = place.open().partition(PARTITION)
        for segment in stream.segments():
            stream.rewrite(segment, b"gilt", NOW + 1)
        found = entries_in(place.open().partition(PARTITION))
        assert [entry.receipt for entry in found] == [entry.receipt for entry in known]
        assert not any(entry.fields.get(b"organization") == b"gilt" for entry in found)
        place.open().sweep(EVER)
        assert entries_in(place.open().partition(PARTITION)) == found
        assert list(place.open().sweep(EVER)) == []

    def test_a_segment_that_was_replaced_is_not_rewritten(
        self, place: ArchivePlace, known: list[Entry]
    ) -> None:
        stream, other = place.open().partition(PARTITION), place.open().partition(PARTITION)
        segment = other.segments()[1]
        assert stream.rewrite(segment, b"gilt", NOW) is not None
        with pytest.raises(ArchiveConflict):
            other.rewrite(segment, b"acme", NOW)


def _place(entry: Entry) -> tuple[int, int]:
    return entry.receipt.milliseconds, entry.receipt.sequence
