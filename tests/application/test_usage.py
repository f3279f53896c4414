"""What requests use is counted in memory, and recorded every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from adapters.eventsourcing.organizations import Organizations
from adapters.memory.usage import MemoryUsageStore
from application.clock import milliseconds
from application.errors import LogUnavailable
from application.organizations.access import AccessControl
from application.organizations.create_team import CreateTeam
from application.organizations.deciding import change, existing
from application.organizations.issue_token import IssueToken
from application.organizations.register_organization import RegisterOrganization
from application.organizations.revoke_token import RevokeToken
from application.organizations.token_directory import MAX_SILENCE, DirectoryFollower, TokenDirectory
from application.publishing.refusals import Reason, Refusals
from application.usage import recorder as module
from application.usage.counter import UsageCounter
from application.usage.ports import MINUTE_MS, MinuteUsage, OwnToken, PointUsage
from application.usage.recorder import PRUNE_EVERY, UsageRecorder
from application.usage.token_uses import TokenUses
from domain.errors import Forbidden
from domain.organization import erase
from domain.token import Scope
from tests.application.doubles import FakeClock, FakeMonotonic, Service

GILT, SHORT, WEB = (f"cave_value-{number}" for number in (1, 2, 3))
SECOND = timedelta(seconds=1)
USE = timedelta(milliseconds=MINUTE_MS)


class FailingStore(MemoryUsageStore):
    """A store that fails while `failing`, and keeps what it was asked to set."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = False
        self.sets: list[Mapping[OwnToken, int]] = []

    def set_token_uses(self, uses: Mapping[OwnToken, int]) -> None:
        if self.failing:
            raise LogUnavailable("the server is full")
        self.sets.append(uses)
        super().set_token_uses(uses)


class World:
    """Organization gilt, whose second token expires in an hour, with team web; and other."""

    def __init__(self, service: Service, organizations: Organizations, clock: FakeClock) -> None:
        self.manage, self.clock, self.monotonic = service.manage, clock, FakeMonotonic()
        self.manage.register_organization(RegisterOrganization(name="gilt", scopes=("read",)))
        self.manage.issue_token(
            IssueToken(organization="gilt", scopes=("read",), expires_in=timedelta(hours=1))
        )
        self.manage.create_team(CreateTeam(organization="gilt", name="web"))
        self.manage.issue_token(IssueToken(organization="gilt", team="web", scopes=("read",)))
        self.directory = TokenDirectory(self.monotonic)
        self.follower = DirectoryFollower(organizations, self.directory)
        self.follower.catch_up()
        self.counter = UsageCounter()
        self.store = FailingStore()
        self.recorder = UsageRecorder(self.counter, self.store, self.directory, clock)
        self.access = AccessControl(self.directory, self.counter, clock)
        self.uses = TokenUses(self.store, clock)

    @property
    def ms(self) -> int:
        return milliseconds(self.clock)

    def read(self, token: str = GILT, team: str | None = None) -> None:
        self.access.grant("gilt", team, token, Scope.READ)

    def record(self, *, last: bool = False) -> None:
        asyncio.run(self.recorder.record(last=last))

    def shown(self) -> Mapping[str, datetime]:
        return self.uses("gilt", self.manage.look_ups.all_tokens("gilt"))


@pytest.fixture
def world(service: Service, organizations: Organizations, clock: FakeClock) -> World:
    return World(service, organizations, clock)


def at(world: World, seconds: int = 0) -> datetime:
    return (world.clock.now + seconds * SECOND).astimezone(UTC)


def test_every_accepted_use_of_a_token_counts(world: World) -> None:
    assert world.shown() == {}
    world.read()
    world.read(WEB, "web")
    world.access.identify(SHORT)
    world.record()
    assert world.shown() == dict.fromkeys(("t1", "t2", "t3"), at(world))


def test_refused_uses_do_not_count(world: World) -> None:
    refused: list[Callable[[], object]] = [
        lambda: world.access.grant("gilt", None, GILT, Scope.PUBLISH),
        lambda: world.access.owners_grant(GILT, Scope.ADMIN),
        lambda: world.read(WEB),
        lambda: world.access.identify("cave_unknown"),
    ]
    for call in refused:
        with pytest.raises(Forbidden):
            call()
    world.record()
    assert world.shown() == {}


def test_a_use_of_a_remembered_grant_counts_as_well(world: World) -> None:
    for _ in range(3):
        world.read()
        world.record(last=True)
        assert world.shown() == {"t1": at(world)}
        world.clock.advance(3600 * SECOND)


def test_a_tokens_use_is_written_once_per_minute_and_none_is_lost(world: World) -> None:
    for _ in range(24):
        world.read()
        world.record()
        world.clock.advance(5 * SECOND)
    assert len(world.store.sets) == 2
    last_use = at(world, -5)
    world.clock.advance(USE)
    world.record()
    assert world.shown() == {"t1": last_use}


def test_uses_that_wait_are_written_at_the_end(world: World) -> None:
    world.read()
    world.record()
    world.clock.advance(5 * SECOND)
    world.read()
    world.record()
    assert world.shown() == {"t1": at(world, -5)}

    async def run() -> None:
        running = asyncio.create_task(world.recorder.run())
        await asyncio.sleep(0)
        world.recorder.stop()
        await running

    asyncio.run(run())
    assert world.shown() == {"t1": at(world)}


def test_it_records_again_and_again_until_it_is_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.001)

    async def run() -> None:
        running = asyncio.create_task(world.recorder.run())
        for times in (1, 2, 3):
            world.counter.accepted("gilt", times)
            while len(points()) < times:  # noqa: ASYNC110  the recorder has no event to wait for
                await asyncio.sleep(0.001)
            world.clock.advance(USE)
        world.recorder.stop()
        await running

    def points() -> list[int]:
        found = world.store.points("gilt", world.ms // MINUTE_MS)
        return [minute.points.accepted for minute in found]

    asyncio.run(run())
    assert points() == [1, 2, 3]


def test_uses_are_written_once_the_store_takes_them_again(world: World) -> None:
    world.store.failing = True
    world.read()
    world.record()
    used = at(world)
    world.clock.advance(5 * SECOND)
    world.store.failing = False
    world.record()
    assert world.shown() == {"t1": used}


def test_inactive_tokens_have_no_last_use(world: World) -> None:
    world.read()
    world.read(SHORT)
    world.record()
    world.manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
    world.clock.advance(timedelta(hours=1))
    assert world.shown() == {}


def test_uses_of_inactive_tokens_are_forgotten(world: World) -> None:
    for token in (GILT, SHORT):
        world.read(token)
    world.record()
    world.store.set_token_uses({("gilt", "issued-meanwhile"): world.ms})
    world.manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
    world.follower.catch_up()
    world.clock.advance(timedelta(milliseconds=PRUNE_EVERY))
    world.read(WEB, "web")
    world.record()
    assert world.store.token_uses("gilt").keys() == {"t3", "issued-meanwhile"}


def test_a_use_just_before_a_token_was_revoked_is_not_written(world: World) -> None:
    world.read()
    world.manage.revoke_token(RevokeToken(organization="gilt", token_id="t1"))
    world.follower.catch_up()
    world.record()
    assert world.store.token_uses("gilt") == {}


def test_nothing_is_written_of_an_organization_that_was_erased(
    world: World, organizations: Organizations
) -> None:
    world.read()
    world.counter.accepted("gilt", 5)
    world.counter.accepted("other", 6)
    change(organizations, "gilt", lambda found: erase(existing(found, "gilt"), world.clock()))
    world.follower.catch_up()
    world.record()
    minute = world.ms // MINUTE_MS
    assert (world.store.points("gilt", minute), world.store.token_uses("gilt")) == ([], {})
    assert world.store.points("other", minute) == [MinuteUsage(minute, PointUsage(6))]


def test_without_a_current_directory_uses_are_written_all_the_same(world: World) -> None:
    world.read()
    world.monotonic.seconds += MAX_SILENCE + 1
    world.record()
    assert world.store.token_uses("gilt") == {"t1": world.ms}


def test_points_are_recorded_by_organization_in_the_minute_that_it_is(world: World) -> None:
    refused = Refusals()
    refused.add("line 1", Reason.VALUE, "no number", points=2)
    refused.add("line 2", Reason.NAME, "no name")
    world.counter.accepted("gilt", 3)
    world.counter.accepted("gilt", 4)
    world.counter.refused("gilt", "influx", refused)
    world.counter.refused("gilt", "json", refused)
    world.counter.refused("other", "json", refused)
    world.record()
    minute = world.ms // MINUTE_MS
    counts = {("json", Reason.VALUE): 2, ("json", Reason.NAME): 1}
    both = counts | {("influx", Reason.VALUE): 2, ("influx", Reason.NAME): 1}
    assert world.store.points("gilt", minute) == [MinuteUsage(minute, PointUsage(7, both))]
    assert world.store.points("other", minute) == [MinuteUsage(minute, PointUsage(0, counts))]

    world.record()
    world.clock.advance(USE)
    world.counter.accepted("gilt", 1)
    world.record()
    assert [each.points.accepted for each in world.store.points("gilt", minute + 1)] == [7, 1]
