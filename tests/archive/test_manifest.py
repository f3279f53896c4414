"""Branches of the manifest, its roll-ups, and what reading it costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.archive.objects import Stored
from application.errors import ArchiveConflict, ArchiveDamaged
from application.event_log.archive import ArchivedStream, Step
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from tests.archive.places import ObjectsPlace, Watching
from tests.contracts.archive_places import (
    EVER,
    NOW,
    PARTITION,
    Killed,
    chain_of,
    dying_after,
    entries,
    entries_in,
)

MANIFEST = f"manifest/{PARTITION}"

Act = Callable[[ArchivedStream], object]


@pytest.fixture(params=["directory", "overwriting", pytest.param("s3", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> ObjectsPlace:
    names = {"directory": "directory_place", "overwriting": "memory_place", "s3": "s3_place"}
    found: ObjectsPlace = request.getfixturevalue(names[request.param])
    return found


def opened(place: ObjectsPlace) -> ArchivedStream:
    return place.open().partition(PARTITION)


def between(place: ObjectsPlace, ours: Act, theirs: Act) -> tuple[bool, bool]:
    """Let two processes add an entry at once: theirs is added after ours has looked and encoded.

    Return whether each succeeded. Ours is written last.
    """
    done: list[bool] = []

    def meanwhile(name: str, path: str) -> None:
        if name == "create" and path.startswith("manifest/") and not done:
            done.append(succeeds(theirs, opened(place)))

    objects = Watching(place.objects, before=meanwhile)
    stream = place.open(objects=objects).partition(PARTITION)
    return succeeds(ours, stream), done[0]


def succeeds(act: Act, stream: ArchivedStream) -> bool:
    try:
        act(stream)
    except ArchiveConflict:
        return False
    return True


KNOWN = entries(100)


def seal(start: int, end: int) -> Act:
    return lambda stream: stream.seal(KNOWN[start:end], NOW)


def rewrite(place: int, organization: bytes) -> Act:
    return lambda stream: stream.rewrite(stream.segments()[place], organization, NOW)


def lose(before: int, missing: int) -> Act:
    return lambda stream: stream.accept_loss(KNOWN[before].receipt, missing, 0, NOW)


@pytest.fixture
def begun(place: ObjectsPlace) -> ObjectsPlace:
    """An archive with two segments of 20 entries."""
    stream = opened(place)
    stream.seal(KNOWN[:20], NOW)
    stream.seal(KNOWN[20:40], NOW)
    return place


@pytest.mark.parametrize(("ours", "theirs"), [(60, 50), (50, 60), (50, 50)])
def test_of_two_segments_the_longer_one_counts(begun: ObjectsPlace, ours: int, theirs: int) -> None:
    ours_succeeded, theirs_succeeded = between(begun, seal(40, ours), seal(40, theirs))
    assert theirs_succeeded, "they could not know of ours"
    assert ours_succeeded or ours <= theirs
    stream = opened(begun)
    reached = stream.end().number
    assert reached == max(ours, theirs)
    stream.seal(KNOWN[reached:], NOW)
    assert entries_in(opened(begun)) == KNOWN
    assert opened(begun).end().chain == chain_of(KNOWN)


def test_a_process_whose_branch_was_overtaken_goes_on_from_the_other(begun: ObjectsPlace) -> None:
    theirs = opened(begun)

    def meanwhile(name: str, path: str) -> None:
        if name == "create" and theirs.end().number == 40:
            theirs.seal(KNOWN[40:50], NOW)

    objects = Watching(begun.objects, before=meanwhile)
    ours = begun.open(objects=objects).partition(PARTITION)
    ours.seal(KNOWN[40:70], NOW)
    with pytest.raises(ArchiveConflict):
        theirs.seal(KNOWN[50:60], NOW)
    assert theirs.end().number == 70
    theirs.seal(KNOWN[70:80], NOW)
    ours.seal(KNOWN[80:], NOW)
    assert entries_in(opened(begun)) == KNOWN


@pytest.mark.parametrize("rewrite_first", [True, False])
def test_a_rewrite_is_kept_beside_a_segment(begun: ObjectsPlace, rewrite_first: bool) -> None:
    acts = [rewrite(0, b"gilt"), seal(40, 60)]
    theirs, ours = acts if rewrite_first else acts[::-1]
    ours_succeeded, theirs_succeeded = between(begun, ours, theirs)
    assert theirs_succeeded
    if not ours_succeeded:  # the rewrite gave way
        opened(begun).rewrite(opened(begun).segments()[0], b"gilt", NOW)
    found = entries_in(opened(begun))
    assert [entry.receipt for entry in found] == [entry.receipt for entry in KNOWN[:60]]
    assert not [e for e in found[:20] if e.fields.get(b"organization") == b"gilt"]
    begun.open().sweep(EVER)
    opened(begun).seal(KNOWN[60:], NOW)
    assert entries_in(opened(begun))[:60] == found


def test_two_erasures_of_one_segment_both_take_effect(begun: ObjectsPlace) -> None:
    ours_succeeded, theirs_succeeded = between(begun, rewrite(0, b"gilt"), rewrite(0, b"acme"))
    assert theirs_succeeded
    assert not ours_succeeded
    stream = opened(begun)
    stream.rewrite(stream.segments()[0], b"gilt", NOW)
    found = entries_in(opened(begun))
    assert not any(entry.fields for entry in found[:20])
    assert found[20:] == KNOWN[20:40]
    assert [entry.receipt for entry in found] == [entry.receipt for entry in KNOWN[:40]]


@pytest.mark.parametrize("loss_first", [True, False])
def test_a_loss_gives_way_to_a_segment(begun: ObjectsPlace, loss_first: bool) -> None:
    acts = [lose(90, 50), seal(40, 60)]
    theirs, ours = acts if loss_first else acts[::-1]
    ours_succeeded, theirs_succeeded = between(begun, ours, theirs)
    assert theirs_succeeded
    assert ours_succeeded == loss_first
    stream = opened(begun)
    assert list(stream.losses()) == []
    assert entries_in(stream) == KNOWN[:60]


def test_two_losses_at_once_are_one(begun: ObjectsPlace) -> None:
    ours_succeeded, theirs_succeeded = between(begun, lose(50, 10), lose(60, 20))
    assert (ours_succeeded, theirs_succeeded) == (False, True)
    assert len(opened(begun).losses()) == 1


def test_stale_branches_are_swept_once_they_are_old(begun: ObjectsPlace) -> None:
    between(begun, seal(40, 50), seal(40, 60))
    archive = begun.open()
    assert list(archive.sweep(0)) == []
    swept = list(archive.sweep(EVER))
    assert [path.split("/")[0] for path in swept] == ["manifest", "segments"]
    assert list(begun.open().sweep(EVER)) == []
    stream = opened(begun)
    stream.seal(KNOWN[60:], NOW)
    assert entries_in(stream) == entries_in(opened(begun)) == KNOWN


def seal_each(known: list[Entry], stream: ArchivedStream) -> None:
    for start in range(0, len(known), 2):
        stream.seal(known[start : start + 2], NOW)


def test_a_long_manifest_is_rolled_up_and_read_alike(place: ObjectsPlace) -> None:
    """Others that follow it see every entry once, whichever files it is in."""
    following, late = opened(place), opened(place)
    late.refresh()
    stream = opened(place)
    for start in range(0, 60, 2):
        stream.seal(KNOWN[start : start + 2], NOW)
        assert following.refresh() == stream.end()
    names = [stored.path.partition("_")[0] for stored in place.objects.stored(MANIFEST)]
    rolled = [f"{MANIFEST}/{n + 1:08d}-{n + 4:08d}" for n in range(0, 28, 4)]
    assert names == [*rolled, f"{MANIFEST}/00000029", f"{MANIFEST}/00000030"]
    for each in (late, opened(place)):
        assert each.refresh() == stream.end()
        assert each.segments() == stream.segments()
        assert entries_in(each) == KNOWN[:60]


@pytest.mark.parametrize("step", [Step.ROLLUP_WRITTEN, Step.ROLLED_UP])
def test_a_roll_up_that_died_is_finished_by_the_next(place: ObjectsPlace, step: Step) -> None:
    dying = place.open(dying_after(step)).partition(PARTITION)
    with pytest.raises(Killed):
        seal_each(KNOWN, dying)
    stream = opened(place)
    sealed = stream.end().number
    assert sealed == 8
    seal_each(KNOWN[sealed:], stream)
    assert entries_in(opened(place)) == KNOWN
    assert opened(place).end().chain == chain_of(KNOWN)
    singles = [s for s in place.objects.stored(MANIFEST) if s.path.endswith(".json")]
    assert len(singles) < 4
    assert list(place.open().sweep(EVER)) == []


def test_a_roll_up_that_died_while_it_removed_entries_is_finished(place: ObjectsPlace) -> None:
    def die(name: str, path: str) -> None:
        if name == "delete" and "/00000002_" in path:
            raise Killed

    objects = Watching(place.objects, after=die)
    with pytest.raises(Killed):
        seal_each(KNOWN, place.open(objects=objects).partition(PARTITION))
    stream = opened(place)
    seal_each(KNOWN[stream.end().number :], stream)
    assert entries_in(opened(place)) == KNOWN
    singles = [s for s in place.objects.stored(MANIFEST) if s.path.endswith(".json")]
    assert len(singles) < 8


@pytest.mark.parametrize("knew", [0, 6, 10])
def test_a_list_that_shows_neither_entries_nor_their_roll_up_is_repeated(
    place: ObjectsPlace, knew: int
) -> None:
    """A list takes time: entries may be gone by then, and the roll-up may come after it began."""
    torn = [False]

    class Torn(Watching):
        def stored(self, directory: str) -> Sequence[Stored]:
            found = super().stored(directory)
            if torn[0] and directory == MANIFEST:
                torn[0] = False
                return [each for each in found if each.path.endswith(".json")]
            return found

    stream = opened(place)
    reader = place.open(objects=Torn(place.objects)).partition(PARTITION)
    seal_each(KNOWN[:knew], stream)
    if knew:
        reader.refresh()
    seal_each(KNOWN[knew:12], stream)
    torn[0] = True
    assert reader.refresh() == stream.end()
    assert not torn[0]
    assert entries_in(reader) == KNOWN[:12]


def test_entries_that_vanish_while_they_are_read_are_looked_for_again(
    place: ObjectsPlace,
) -> None:
    stream = opened(place)
    seal_each(KNOWN[:6], stream)

    def meanwhile(name: str, path: str) -> None:
        if name == "get" and path.startswith(MANIFEST) and stream.end().number == 6:
            stream.seal(KNOWN[6:8], NOW)

    reader = place.open(objects=Watching(place.objects, before=meanwhile)).partition(PARTITION)
    assert reader.refresh().number == 8
    assert entries_in(reader) == KNOWN[:8]


def test_a_manifest_that_lacks_an_entry_for_good_is_damaged(place: ObjectsPlace) -> None:
    seal_each(KNOWN[:6], opened(place))
    [_, second, _] = place.objects.stored(MANIFEST)
    place.objects.delete(second.path)
    with pytest.raises(ArchiveDamaged, match="00000002_"):
        opened(place).refresh()


def test_processes_that_roll_up_at_once_do_no_harm(place: ObjectsPlace) -> None:
    known = KNOWN[:40]
    seal_each(known[:6], opened(place))
    streams = [opened(place) for _ in range(3)]

    def write(stream: ArchivedStream) -> None:
        while (done := stream.refresh().number) < len(known):
            try:
                stream.seal(known[done : done + 2], NOW)
            except ArchiveConflict:
                continue

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(write, streams))
    for stream in (*streams, opened(place)):
        stream.refresh()
        assert entries_in(stream) == known


def test_looking_for_news_costs_one_list_and_reads_only_what_is_new(place: ObjectsPlace) -> None:
    calls: list[str] = []
    objects = Watching(place.objects, before=lambda name, path: calls.append(name))
    reader = place.open(objects=objects).partition(PARTITION)
    stream = opened(place)
    stream.seal(KNOWN[:2], NOW)
    assert reader.refresh().number == 2
    assert sorted(calls) == ["get", "stored"]
    calls.clear()
    reader.refresh()
    assert calls == ["stored"]
    for act in (reader.end, reader.segments, reader.losses):
        act()
    assert calls == ["stored"]
    stream.seal(KNOWN[2:4], NOW)
    calls.clear()
    reader.refresh()
    assert sorted(calls) == ["get", "stored"]


def test_a_loss_does_not_hide_that_the_next_entries_are_there(begun: ObjectsPlace) -> None:
    stream = opened(begun)
    stream.accept_loss(KNOWN[45].receipt, 5, 0, NOW)
    with pytest.raises(ArchiveConflict):
        stream.seal(KNOWN[40:50], NOW)
    assert stream.end().last == Receipt.at(PARTITION, KNOWN[45].receipt.position - 1)
