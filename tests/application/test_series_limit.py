"""The limit of active series: over all workers, each series by itself or a batch as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.active_series import MemoryActiveSeries
from application.publishing.active_series import Admitted
from application.publishing.ports import Decoded
from application.publishing.refusals import Reason, Refusals
from application.publishing.series_limit import (
    KNOWN_SECONDS,
    MAX_ON_LOOP,
    MAX_WORDS,
    SeriesLimit,
    SeriesRefused,
    series_words,
)
from domain.columns import coded
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet
from tests.application.doubles import FakeClock, FakeMonotonic
from tests.domain.samples import quick

LIMIT = 5
DAY = timedelta(days=1)


class CountingSeries(MemoryActiveSeries):
    """Counts how often it is asked, and for how many series."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.asked: list[int] = []
        self.full = False

    async def admit(
        self, organization: str, series: Sequence[bytes], limit: int, *, whole: bool
    ) -> Admitted:
        self.asked.append(len(series))
        await asyncio.sleep(0)
        if self.full:
            return Admitted((), self.count(organization), 0.0)
        return await super().admit(organization, series, limit, whole=whole)


def batch(*hosts: int, as_codes: bool = False) -> PointBatch:
    names = ["load"] * len(hosts)
    tags = [TagSet((("host", str(host)),)) for host in hosts]
    times = list(range(len(hosts)))
    values = [float(host) for host in hosts]
    if as_codes:
        return PointBatch(coded(names), times, values, coded(tags), known_finite=True)
    return PointBatch(names, times, values, tags, known_finite=True)


def hosts(series: Iterable[tuple[str, TagSet]]) -> list[int]:
    return [int(tags.pairs[0][1]) for _, tags in series]


class Workers:
    """Some workers over the same counts."""

    def __init__(self, count: int = 1, *, max_known: int = 1000) -> None:
        self.clock = FakeClock()
        self.monotonic = FakeMonotonic()
        self.active = CountingSeries(self.clock)
        self.limits = [
            SeriesLimit(self.active, lambda _: LIMIT, self.monotonic, max_known=max_known)
            for _ in range(count)
        ]

    def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        self.monotonic.seconds += by.total_seconds()

    def refused(
        self,
        points: PointBatch,
        *,
        worker: int = 0,
        team: str | None = None,
        organization: str = "gilt",
        whole: bool = False,
    ) -> SeriesRefused | None:
        event = MetricsPublished(organization=organization, team=team, token_id="t", points=points)
        return asyncio.run(self.limits[worker].admit(event, LIMIT, whole=whole))

    def refused_hosts(self, *numbers: int, worker: int = 0, whole: bool = False) -> list[int]:
        found = self.refused(batch(*numbers), worker=worker, whole=whole)
        return [] if found is None else hosts(found.series)


def test_series_beyond_the_limit_are_refused_and_those_within_flow_on() -> None:
    workers = Workers()
    assert workers.refused_hosts(1, 2, 3, 1, 2, 3) == []
    assert workers.refused_hosts(4, 5, 6, 1, 7) == [6, 7]
    assert workers.refused_hosts(1, 2, 3, 4, 5) == []


def test_known_series_are_not_asked_for() -> None:
    workers = Workers()
    workers.refused_hosts(1, 2, 3)
    for as_codes in (True, False):
        assert workers.refused(batch(1, 2, 3, 1, as_codes=as_codes)) is None
    assert workers.active.asked == [3]
    workers.refused_hosts(1, 2, 4)
    assert workers.active.asked == [3, 1]


def test_a_refused_series_is_asked_for_again() -> None:
    workers = Workers(2)
    workers.refused_hosts(1, 2, 3, 4, 5, worker=1)
    assert workers.refused_hosts(6) == [6]
    assert workers.refused_hosts(6, 1) == [6]
    assert workers.active.asked == [5, 1, 2]


def test_a_batch_refused_as_a_whole_takes_no_room() -> None:
    workers = Workers()
    workers.refused_hosts(1, 2, 3)
    assert workers.refused_hosts(3, 4, 5, 6, whole=True) == [6]
    assert workers.refused_hosts(7, 8, whole=True) == []
    assert workers.active.count("gilt") == LIMIT


def test_a_team_s_series_count_with_the_organization_s() -> None:
    workers = Workers()
    assert workers.refused(batch(1, 2, 3)) is None
    refused = workers.refused(batch(1, 2, 3), team="web")
    assert refused is not None
    assert hosts(refused.series) == [3]
    assert workers.refused(batch(1, 2, 3), organization="other") is None


def test_series_that_could_be_written_alike_are_different() -> None:
    workers = Workers()
    pairs = [
        ("a", TagSet((("b", "c"),))),
        ("a", TagSet((("b", "c d e"),))),
        ("a", TagSet((("b", "c"), ("d", "e")))),
        ("ab", TagSet((("c", "d"),))),
    ]
    names, tag_sets = [name for name, _ in pairs], [tags for _, tags in pairs]
    workers.refused(PointBatch(names, [0] * 4, [0.0] * 4, tag_sets))
    assert workers.active.count("gilt") == 4


def test_every_day_workers_say_again_which_series_are_active() -> None:
    workers = Workers()
    workers.refused_hosts(1, 2, 3, 4, 5)
    workers.pass_time(DAY)
    assert workers.refused_hosts(1, 2, 6) == [6]
    workers.pass_time(DAY)
    assert workers.refused_hosts(1, 6) == []
    assert workers.active.count("gilt") == 3


def test_they_do_every_hour_for_a_server_that_lost_its_counts() -> None:
    workers = Workers()
    workers.refused_hosts(1, 2)
    workers.pass_time(timedelta(seconds=KNOWN_SECONDS - 1))
    workers.refused_hosts(1, 2, 3)
    workers.pass_time(timedelta(seconds=1))
    workers.refused_hosts(1, 2, 3)
    assert workers.active.asked == [2, 1, 3]


def test_what_a_full_server_did_not_note_is_asked_for_again() -> None:
    workers = Workers()
    workers.active.full = True
    assert workers.refused_hosts(*range(9)) == []
    workers.active.full = False
    assert workers.refused_hosts(*range(9)) == [5, 6, 7, 8]


def test_many_new_series_are_admitted_like_few() -> None:
    workers = Workers(max_known=10**6)
    many = range(MAX_ON_LOOP + 1)
    assert workers.refused_hosts(*many) == list(many)[LIMIT:]
    assert workers.refused_hosts(0, 1, 2, 3, 4) == []
    assert len(workers.active.asked) == 1


def test_a_worker_s_memory_is_bounded() -> None:
    workers = Workers(max_known=4)
    for organization in ("a", "b", "c"):
        workers.refused(batch(1, 2, 3), organization=organization)
    workers.refused(batch(1, 2, 3), organization="c")
    workers.refused(batch(1, 2, 3), organization="a")
    assert workers.active.asked == [3, 3, 3, 3]
    workers.refused(batch(1, 2, 3, 4, 5), organization="d")
    workers.refused(batch(1, 2, 3, 4, 5), organization="d")
    assert workers.active.asked[4:] == [5, 1]


def test_the_error_says_how_many_there_may_be_and_when_to_retry() -> None:
    workers = Workers()
    workers.refused_hosts(1, 2, 3, 4)
    refused = workers.refused(batch(1, 5, 6, 7), whole=True)
    assert refused is not None
    said = "'gilt' has 4 active series and may have 5; the batch has 2 new series without room"
    assert said in str(refused.error)
    assert "the first is load{host=6}" in str(refused.error)
    today = 24 * 3600 - (16 * 3600 + 23 * 60 + 45)
    assert refused.error.retry_after == 24 * 3600 + today + 1
    workers.pass_time(DAY)
    refused = workers.refused(batch(1, 5, 6, 7), whole=True)
    assert refused is not None
    assert refused.error.retry_after == today + 1


def test_a_client_that_waits_for_retry_after_finds_room() -> None:
    workers = Workers()
    workers.refused_hosts(1, 2, 3, 4, 5)
    refused = workers.refused(batch(6), whole=True)
    assert refused is not None
    workers.pass_time(timedelta(seconds=refused.retry_after))
    assert workers.refused_hosts(6, whole=True) == []


@pytest.mark.parametrize("as_codes", [True, False])
def test_the_rest_of_a_body_keeps_its_order_and_refusals(*, as_codes: bool) -> None:
    workers = Workers()
    workers.refused_hosts(1, 2, 3, 4, 5)
    before = Refusals()
    before.add("/metrics/3", Reason.VALUE, "no")
    points = batch(6, 1, 7, 6, 2, as_codes=as_codes)
    refused = workers.refused(points)
    assert refused is not None
    rest = refused.removed_from(Decoded(points, before, sent={"samples": 5, "histograms": 1}))
    assert rest.points == PointBatch(
        ["load"] * 2, [1, 4], [1.0, 2.0], [points.tag_sets[1], points.tag_sets[4]]
    )
    assert rest.points.known_finite
    assert rest.sent == {"samples": 2, "histograms": 0}
    assert rest.refused is not None
    assert rest.refused.counts == {Reason.VALUE: 1, Reason.SERIES: 3}
    assert [(each.place, each.points) for each in rest.refused.first] == [
        ("/metrics/3", 1),
        ("load{host=6}", 2),
        ("load{host=7}", 1),
    ]
    assert before.counts == {Reason.VALUE: 1}


def test_a_series_is_named_by_at_most_so_many_characters() -> None:
    assert series_words("load", TagSet(())) == "load"
    assert series_words("load", TagSet((("a", "1"), ("b", "2")))) == "load{a=1, b=2}"
    assert len(series_words("load", TagSet((("a", "1" * 999),)))) == MAX_WORDS


Sent = st.tuples(st.lists(st.integers(0, 12), min_size=1, max_size=8), st.integers(0, 2))


@quick
@given(st.lists(st.tuples(st.lists(Sent, min_size=1, max_size=4), st.booleans(), st.booleans())))
def test_workers_never_exceed_the_limit_nor_refuse_a_series_that_is_active(
    rounds: list[tuple[list[tuple[list[int], int]], bool, bool]],
) -> None:
    """Each round has batches at once, of some hosts by some worker; then perhaps a day passes."""
    workers = Workers(3)
    last_day: dict[int, int] = {}
    day = 0

    async def at_once(sent: list[tuple[list[int], int]], *, whole: bool) -> list[list[int]]:
        async def admit(numbers: list[int], worker: int) -> list[int]:
            event = MetricsPublished(
                organization="gilt", team=None, token_id="t", points=batch(*numbers)
            )
            refused = await workers.limits[worker].admit(event, LIMIT, whole=whole)
            return [] if refused is None else hosts(refused.series)

        return await asyncio.gather(*(admit(*each) for each in sent))

    for sent, whole, day_passes in rounds:
        before = {host for host, last in last_day.items() if last >= day - 1}
        for (numbers, _), refused in zip(
            sent, asyncio.run(at_once(sent, whole=whole)), strict=True
        ):
            assert not before & set(refused)
            assert set(refused) <= set(numbers)
            stored = set() if whole and refused else set(numbers) - set(refused)
            last_day |= dict.fromkeys(stored, day)
        active = {host for host, last in last_day.items() if last >= day - 1}
        assert len(active) <= LIMIT
        assert workers.active.count("gilt") == len(active)
        if day_passes:
            day += 1
            workers.pass_time(DAY)
