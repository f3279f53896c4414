"""The log in two tiers: whatever is sealed, trimmed or interrupted, it is read as one.

The log server is the one in memory here, the archive a real directory.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.archive import ObjectArchive, open_archive
from adapters.eventsourcing.organizations import Organizations
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.projection_stores import MemoryProjectionStores
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.usage import MemoryUsageStore
from application.archiving.archiver import Archiver
from application.archiving.policy import ArchivePolicy
from application.archiving.sealing import Sealing
from application.archiving.verify import LogVerified
from application.errors import ArchiveDamaged, LogError, LogGap, LogUnfit, UnknownReceipt
from application.event_log.archive import OnStep, Step, ignore_step
from application.event_log.ports import Entry
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.event_log.tiered import TieredLog
from application.projections.folds import METRIC_NAMES, POINTS
from application.projections.ports import Role
from application.projections.runner import ProjectionRunner
from application.use_cases import LogTools, ProjectorPorts, compose_log_tools
from tests.application.doubles import FakeClock
from tests.archive.support import CODEC
from tests.contracts.metric_log import PARTITIONS, organizations_in, published

ALL = 10**6


class Killed(BaseException):
    """The process died."""


class NoOrganizations:
    def read_organizations(self, after: int, limit: int) -> list[Entry]:
        return []


class World:
    """A log server in memory and an archive in a directory; `log` is a reader that stays open."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = FakeClock()
        self.hot = MemoryMetricLog(self.clock, PARTITIONS)
        self.stores = MemoryProjectionStores()
        self.organizations = Organizations({"PERSISTENCE_MODULE": "eventsourcing.popo"})
        self.archives: list[ObjectArchive] = []
        self.log = self.reader()
        self.appended: dict[int, list[Entry]] = {p: [] for p in range(PARTITIONS)}

    def close(self) -> None:
        self.organizations.close()
        for archive in self.archives:
            archive.close()

    def archive(self, on_step: OnStep = ignore_step) -> ObjectArchive:
        self.archives.append(open_archive(str(self.root), CODEC.digest, on_step))
        return self.archives[-1]

    def reader(self) -> TieredLog:
        return TieredLog(self.hot, CODEC, self.archive())

    def append(self, partition: int, count: int = 1) -> None:
        [organization] = organizations_in(partition, 1)
        for _ in range(count):
            self.clock.advance(timedelta(milliseconds=7))
            receipt = asyncio.run(self.hot.append(published(organization))).receipt
            entry = self.hot.find(receipt)
            assert entry is not None
            self.appended[partition].append(entry)

    def archiver(
        self, policy: ArchivePolicy | None = None, on_step: OnStep = ignore_step, owner: str = "a"
    ) -> Archiver:
        archiver = self.tools(policy, on_step, owner).archiver
        assert archiver is not None
        return archiver

    def tools(
        self,
        policy: ArchivePolicy | None = None,
        on_step: OnStep = ignore_step,
        owner: str = "a",
        *,
        archived: bool = True,
    ) -> LogTools:
        """Compose the use cases of another process."""
        ports = ProjectorPorts(
            hot=self.hot,
            server=self.hot,
            organization_entries=NoOrganizations(),
            codec=CODEC,
            refused_points=MemoryRefusedPoints(self.clock),
            usage=MemoryUsageStore(),
            archive=self.archive(on_step) if archived else None,
            stores=self.stores,
            log_id="log",
            owner=owner,
            policy=policy or ArchivePolicy(),
            on_step=on_step,
        )
        return compose_log_tools(ports, self.organizations, self.clock)

    def verify(self) -> LogVerified:
        return self.tools().verify(None, lambda progress: None)

    def check(self, log: TieredLog | None = None) -> None:
        """Check that a reader sees every event once, in order, whatever its pages are."""
        log = log or self.log
        for partition, wanted in self.appended.items():
            for limit in (1, 3, ALL):
                found: list[Entry] = []
                after = 0
                while page := log.read(partition, after, limit):
                    found += page
                    after = page[-1].receipt.position
                    assert len(page) == limit or len(found) == len(wanted), "pages are full"
                assert found == wanted
            assert log.count(partition) == len(wanted)
            assert log.gap(partition) is None
            if wanted:
                assert log.first_position(partition) == wanted[0].receipt.position
                assert log.last_position(partition) == wanted[-1].receipt.position
                middle = wanted[len(wanted) // 2]
                assert log.find(middle.receipt) == middle
                assert log.count(partition, middle.receipt.position) == len(wanted) - (
                    len(wanted) // 2 + 1
                )
                nothing = [2**62] * PARTITIONS
                nothing[partition] = wanted[0].receipt.position - 1
                assert list(log.wait_for_entries(nothing)) == [partition]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "archive")
    yield world
    world.close()


def move_all(archiver: Archiver) -> None:
    archiver.seal_all(lambda done, total: None)
    archiver.trim_all()


def test_events_are_read_alike_before_and_after_they_are_sealed_and_trimmed(world: World) -> None:
    for partition in (0, 2):
        world.append(partition, 10)
    world.check()
    archiver = world.archiver()
    assert archiver.seal_all(lambda done, total: None) == 20
    world.check()
    for _ in range(2):
        shown = [(what.partition, what.entries) for what in archiver.trimmable()]
        assert shown == [(0, 9), (2, 9)], "to ask removes nothing"
    assert archiver.trim_all() == 18
    assert archiver.trimmable() == []
    assert [world.hot.extent(p).entries for p in range(PARTITIONS)] == [1, 0, 1, 0]
    world.check()
    world.check(world.reader())
    world.append(0, 5)
    world.check()
    assert world.verify().damages == ()
    assert (world.verify().archived, world.verify().on_server) == (20, 5)


steps = st.lists(
    st.tuples(st.sampled_from(["append", "seal", "trim", "die", "other"]), st.integers(0, 3)),
    max_size=25,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=steps, seed=st.integers(0, 1000))
def test_no_order_of_archiving_and_dying_loses_or_doubles_an_event(
    actions: list[tuple[str, int]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = random.Random(seed)
    world = World(tmp_path_factory.mktemp("log") / "archive")
    archiver = world.archiver()
    try:
        for action, partition in actions:
            if action == "append":
                world.append(partition, source.randrange(1, 30))
            elif action == "seal":
                archiver.seal_all(lambda done, total: None)
            elif action == "trim":
                archiver.trim_all()
            elif action == "other":
                move_all(world.archiver(owner="b"))
            else:
                left = source.randrange(1, 12)

                def die(step: Step) -> None:
                    nonlocal left
                    left -= 1
                    if not left:
                        raise Killed

                try:
                    move_all(world.archiver(on_step=die))
                except Killed:
                    archiver = world.archiver()
            world.check()
        world.check(world.reader())
        assert world.verify().damages == ()
    finally:
        world.close()


def test_events_are_sealed_and_trimmed_when_they_are_old_enough(world: World) -> None:
    archiver = world.archiver(ArchivePolicy(every=600, hot_age=3600))
    world.append(1, 10)
    archiver.round()
    assert world.reader().count(1) == 10
    assert world.archive().partition(1).end().number == 0
    world.clock.advance(timedelta(seconds=601))
    archiver.round()
    assert world.archive().partition(1).end().number == 10
    assert world.hot.extent(1).entries == 10
    world.clock.advance(timedelta(seconds=3001))
    archiver.round()
    assert world.hot.extent(1).entries == 1, "the last one shows that the two logs are the same"
    world.check()


def test_the_server_s_memory_is_bounded_whatever_the_age(world: World) -> None:
    world.append(0, 300)
    world.append(1, 3)
    size = sum(world.hot.memory())
    archiver = world.archiver(ArchivePolicy(hot_memory=size // 2))
    archiver.round()
    assert sum(world.hot.memory()) < size // 2
    assert world.hot.extent(1).entries == 3, "small partitions make no small segments"
    world.check()


def test_events_take_at_most_half_of_the_server_s_memory(world: World) -> None:
    world.append(0, 300)
    size = sum(world.hot.memory())
    world.hot.max_memory = size
    world.archiver().round()
    assert sum(world.hot.memory()) < size // 2
    world.check()


def test_what_a_projection_has_not_read_stays_until_memory_is_needed(world: World) -> None:
    live = world.stores.create(POINTS, Role.LIVE)
    names = world.stores.create(METRIC_NAMES, Role.LIVE)
    world.stores.stop(names, "of another version")
    world.append(0, 10)
    reader = MetricLogReader(world.reader(), CODEC)
    with world.stores.open(live) as store:
        ProjectionRunner(reader, store, POINTS).step()
    world.append(0, 10)
    archiver = world.archiver()
    move_all(archiver)
    [first] = world.hot.read(0, 0, 1)[1]
    assert first == world.appended[0][9], "the last event that was read stays, to be compared"
    world.check()
    with world.stores.open(live) as store:
        runner = ProjectionRunner(reader, store, POINTS)
        runner.check_continuity()
        assert runner.step().events == 10
    world.append(0, 200)
    size = sum(world.hot.memory())
    world.archiver(ArchivePolicy(hot_memory=size // 4)).round()
    assert world.hot.extent(0).entries == 1
    with world.stores.open(live) as store:
        runner = ProjectionRunner(reader, store, POINTS)
        runner.check_continuity()
        assert runner.step().events == 200


def test_a_damaged_partition_does_not_keep_the_others_from_being_archived(world: World) -> None:
    world.append(0, 10)
    world.append(1, 10)
    world.hot.trim_before(world.appended[0][4].receipt)
    archiver = world.archiver(ArchivePolicy(every=0))
    with pytest.raises(LogGap, match=r"from 0-0-1 to 0-"):
        archiver.round()
    assert world.archive().partition(1).end().number == 10
    assert world.archive().partition(0).end().number == 0


def older(world: World, keep: int, more: int) -> None:
    """Let the server restart with an older file, and go on."""
    partition = 0
    entries = world.appended[partition][:keep]
    world.hot.lose(partition)
    for entry in entries:
        world.hot.put(entry)
    if more:
        world.append(partition, more)


@pytest.mark.parametrize("keep", [0, 3, 9, 12])
@pytest.mark.parametrize("more", [0, 1, 20])
def test_an_older_file_of_the_server_is_seen(world: World, keep: int, more: int) -> None:
    """It had ten sealed events, and five more."""
    world.append(0, 10)
    world.archiver().seal_all(lambda done, total: None)
    world.append(0, 5)
    world.check()
    older(world, keep, more)
    if keep == 12:
        return  # all that is sealed is there: only who had read the others can know
    for log in (world.log, world.reader()):
        gap = log.gap(0)
        assert gap is not None
        assert gap.first.position == world.appended[0][9].receipt.position + 1
        read = log.read(0, 0, ALL)
        assert list(read) == world.appended[0][:10]
        with pytest.raises(LogGap):
            log.read(0, read[-1].receipt.position, ALL)
    with pytest.raises(LogError):
        world.archiver().seal_all(lambda done, total: None)
    [damage, *_] = world.verify().damages
    assert gap is not None
    assert damage.first == gap.first


def test_a_log_whose_archive_was_forgotten_has_a_gap(world: World, tmp_path: Path) -> None:
    world.append(0, 10)
    move_all(world.archiver())
    world.append(0, 2)
    gap = TieredLog(world.hot, CODEC).gap(0)
    assert gap is not None
    assert gap.events == 9


def test_a_missing_segment_stops_readers_and_is_named_by_verify(world: World) -> None:
    world.append(0, 10)
    move_all(world.archiver())
    world.append(0, 10)
    move_all(world.archiver())
    segment = world.archive().partition(0).segments()[0]
    (world.root / segment.file).unlink()
    with pytest.raises(LogGap) as gap:
        world.reader().read(0, 0, ALL)
    assert (gap.value.first, gap.value.last) == (segment.first, segment.last)
    [damage] = world.verify().damages
    assert (damage.stream, damage.first) == ("0", segment.first)
    assert segment.file in damage.what


@pytest.mark.parametrize("archived", [True, False])
def test_verify_may_begin_with_any_event_but_not_beyond_the_last(
    world: World, archived: bool
) -> None:
    world.append(0, 10)
    if archived:
        move_all(world.archiver())
    last = world.appended[0][-1].receipt

    def verify(since: Receipt) -> LogVerified:
        return world.tools().verify(since, lambda progress: None)

    for entry in world.appended[0]:
        assert verify(entry.receipt).damages == ()
    beyond = Receipt(last.partition, last.milliseconds + 1, 0)
    for receipt in (beyond, Receipt(1, 1, 0), Receipt(PARTITIONS, 1, 0), Receipt(10**6, 1, 0)):
        with pytest.raises(UnknownReceipt, match=str(receipt)):
            verify(receipt)


def test_status_says_where_the_events_are(world: World) -> None:
    world.append(0, 10)
    archiver = world.archiver()
    archiver.seal_all(lambda done, total: None)
    world.append(0, 5)
    archiver.trim_all()
    world.clock.advance(timedelta(seconds=60))
    status = world.tools().status()
    partition, entries = status.partitions[0], world.appended[0]
    assert (partition.first, partition.last) == (entries[0].receipt, entries[-1].receipt)
    assert (partition.events, partition.archive_events, partition.server_events) == (15, 10, 6)
    assert partition.archived_to == partition.server_from == entries[9].receipt
    assert partition.oldest_unsealed == status.oldest_unsealed == entries[10].receipt
    assert 60 < status.unsealed_seconds < 61
    assert partition.gap is None
    assert status.last_sealed is not None
    assert status.partitions[1].first is None


def test_only_the_owner_of_the_lease_trims(world: World) -> None:
    world.append(0, 10)
    world.clock.advance(timedelta(seconds=5))
    world.archiver(ArchivePolicy(every=0, hot_age=0)).round()
    assert world.archiver(owner="b").trimmable() == []
    first, keep = world.appended[0][0].receipt, Receipt(0, 1 << 42, 0)
    assert world.hot.trim(0, "b", first, keep) == 0
    assert world.hot.trim(0, "a", first, keep) == 0, "the first entry is another one"


def removed_by_hand(world: World) -> int:
    world.append(0, 10)
    for place in (-3, -7):
        world.hot.delete(world.appended[0].pop(place).receipt)
    return 2


def trimmed_by_hand(world: World) -> int:
    world.append(0, 10)
    world.hot.trim_before(world.appended[0][-4].receipt)
    gone = len(world.appended[0]) - 4 - world.archive().partition(0).end().number
    del world.appended[0][-4 - gone : -4]
    return gone


def lost_and_begun_anew(world: World) -> int:
    world.append(0, 3)
    world.hot.lose(0)
    sealed = world.archive().partition(0).end().number
    del world.appended[0][sealed:]
    world.append(0, 4)
    return 0


def promoted_without_the_end(world: World) -> int:
    """Lose the last events of the server, which a reader had seen; new ones follow."""
    world.append(0, 6)
    assert world.log.gap(0) is None
    kept = world.appended[0][-3].receipt
    lost = world.appended[0][-1].receipt
    del world.appended[0][-2:]
    world.hot.lose_after(kept, "promoted")
    gap = world.log.gap(0)
    assert gap is not None
    assert (gap.first.position, gap.last) == (kept.position + 1, lost)
    world.append(0, 3)
    found = world.reader()
    assert list(found.read(0, 0, ALL)) == world.appended[0][:-3], "what is left can be read"
    with pytest.raises(LogGap):
        found.read(0, kept.position, ALL)
    with pytest.raises(LogGap):
        world.archiver().seal_all(lambda done, total: None)
    return 0


@pytest.mark.parametrize("sealed", [0, 6])
@pytest.mark.parametrize(
    "damage", [removed_by_hand, trimmed_by_hand, lost_and_begun_anew, promoted_without_the_end]
)
def test_an_accepted_loss_lets_the_log_go_on(
    world: World, sealed: int, damage: Callable[[World], int]
) -> None:
    if sealed:
        world.append(0, sealed)
        world.archiver().seal_all(lambda done, total: None)
    missing = damage(world)
    gap = world.reader().gap(0)
    if gap is None:
        assert (sealed, missing) == (0, 0), "of a lost stream nothing is known without an archive"
        return
    loss = world.archiver().accept_loss(0, gap)
    assert loss.entries == missing
    for _ in range(2):
        log = world.reader()
        assert log.gap(0) is None
        found = log.read(0, 0, ALL)
        assert list(found) == world.appended[0]
        assert log.count(0) == len(world.appended[0]) + missing
        assert world.verify().damages == ()
        world.append(0, 5)
        move_all(world.archiver())


def test_archived_events_deleted_from_the_server_are_no_gap(world: World) -> None:
    world.append(0, 10)
    world.archiver().seal_all(lambda done, total: None)
    for place in (0, 4, 9):
        world.hot.delete(world.appended[0][place].receipt)
    world.append(0, 3)
    world.check(world.reader())
    world.check()


def test_without_an_archive_only_a_lost_end_can_be_accepted(world: World) -> None:
    accept_loss = world.tools(archived=False).accept_loss
    promoted_without_the_end(world)
    log = TieredLog(world.hot, CODEC)
    gap = log.gap(0)
    assert gap is not None
    assert gap.last is not None
    accepted = accept_loss(0, gap)
    assert accepted.after == world.appended[0][-4].receipt
    assert accepted.before.position == gap.last.position + 1
    assert log.gap(0) is None
    assert list(log.read(0, 0, ALL)) == world.appended[0]

    world.hot.trim_before(world.appended[0][2].receipt)
    gap = log.gap(0)
    assert gap is not None
    with pytest.raises(LogUnfit, match="no archive"):
        accept_loss(0, gap)


def numbered(*names: bytes) -> list[Entry]:
    """Return entries of the organizations' log."""
    return [Entry(Receipt(0, 0, n), {b"id": name}) for n, name in enumerate(names, start=1)]


@pytest.mark.parametrize(
    "after", [numbered(b"a"), numbered(b"a", b"c"), numbered(b"a", b"c", b"d"), []]
)
def test_organizations_are_not_copied_behind_events_that_their_log_has_lost(
    world: World, after: list[Entry]
) -> None:
    """Their numbers are given again, to other events."""
    log = numbered(b"a", b"b")

    class Organizations:
        def read_organizations(self, after: int, limit: int) -> list[Entry]:
            return [entry for entry in log if entry.receipt.position > after][:limit]

    archive = world.archive()
    sealing = Sealing(world.log, Organizations(), archive, CODEC, world.clock)
    archive.claim("log", PARTITIONS)
    sealing.seal_organizations()
    log.append(Entry(Receipt(0, 0, 3), {b"id": b"later"}))
    sealing.seal_organizations()
    assert archive.organizations().end().number == 3
    log[:] = after
    with pytest.raises(LogUnfit, match="lost its end"):
        sealing.seal_organizations()
    assert archive.organizations().end().number == 3


def test_a_gap_that_nothing_follows_cannot_be_accepted(world: World) -> None:
    world.append(0, 5)
    world.archiver().seal_all(lambda done, total: None)
    world.hot.lose(0)
    gap = world.reader().gap(0)
    assert gap is not None
    with pytest.raises(LogUnfit, match="no event follows"):
        world.archiver().accept_loss(0, gap)


def test_verify_names_every_damage(world: World) -> None:
    for _ in range(3):
        world.append(0, 10)
        move_all(world.archiver())
    world.append(1, 10)
    move_all(world.archiver())
    flipped, lost, _ = world.archive().partition(0).segments()
    content = bytearray((world.root / flipped.file).read_bytes())
    content[len(content) // 3] ^= 4
    (world.root / flipped.file).write_bytes(content)
    (world.root / lost.file).unlink()
    world.hot.delete(world.appended[1][-1].receipt)
    world.append(1, 2)
    world.hot.delete(world.appended[1][-1].receipt)
    damages = world.verify().damages
    assert [(damage.stream, damage.first) for damage in damages] == [
        ("0", flipped.first),
        ("0", lost.first),
        ("1", world.appended[1][-1].receipt),
    ]
    for damage, segment in zip(damages, (flipped, lost), strict=False):
        assert segment.file in damage.what


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"")])
@pytest.mark.parametrize("limit", [1, 7, ALL])
def test_no_page_goes_beyond_a_segment_that_cannot_be_read(
    world: World, damage: Callable[[Path], object], limit: int
) -> None:
    for _ in range(3):
        world.append(0, 10)
        world.archiver().seal_all(lambda done, total: None)
    world.append(0, 5)
    world.archiver().trim_all()
    lost = world.archive().partition(0).segments()[1]
    damage(world.root / lost.file)
    known = world.appended[0]
    log = world.reader()
    found: list[Entry] = []

    def read_all() -> None:
        while page := log.read(0, found[-1].receipt.position if found else 0, limit):
            found.extend(page)

    with pytest.raises((LogGap, ArchiveDamaged), match=Path(lost.file).name):
        read_all()
    assert found == known[:10]


def test_whoever_accepts_a_missing_segment_reads_everything_else(world: World) -> None:
    for _ in range(3):
        world.append(0, 10)
        world.archiver().seal_all(lambda done, total: None)
    world.append(0, 5)
    world.archiver().trim_all()
    archive = world.archive()
    (world.root / archive.partition(0).segments()[1].file).unlink()
    known = world.appended[0]
    for limit in (1, 7, ALL):
        log = TieredLog(world.hot, CODEC, world.archive(), skips_gaps=True)
        found: list[Entry] = []
        while page := log.read(0, found[-1].receipt.position if found else 0, limit):
            found += page
        assert found == [*known[:10], *known[20:]]
