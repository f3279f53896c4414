"""A projection's state, and its lag, which does not depend on how often it is measured."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.memory.projection_stores import MemoryProjectionStores
from adapters.memory.read_model import MemoryReadModel
from application.projections.folds import POINTS, PROJECTIONS
from application.projections.ports import Role, Writer
from application.projections.runner import ProjectionRunner
from application.projections.status import Lags, ProjectionStatuses, State
from tests.application.projections.world import ORGANIZATIONS, PARTITIONS, Log, batch, tools

steps = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from(ORGANIZATIONS)),
        st.tuples(st.just("read on"), st.integers(0, PARTITIONS - 1)),
        st.tuples(st.just("restart"), st.just(None)),
        st.tuples(st.just("look"), st.just(None)),
    ),
    max_size=40,
)


@given(steps)
def test_the_lag_counts_the_events_above_the_positions(
    steps: list[tuple[str, str | int | None]],
) -> None:
    log = Log()
    lags = Lags(log.entries, log.clock)
    positions: dict[int, int] = {}
    for step, argument in [*steps, ("look", None)]:
        if isinstance(argument, str):
            log.publish(argument, batch([1.0]))
        elif isinstance(argument, int):
            if page := log.entries.read(argument, positions.get(argument, 0), 1):
                positions[argument] = page[0].receipt.position
        elif step == "restart":
            positions.clear()  # a rebuilt generation may have read less
        else:
            log.clock.advance(timedelta(seconds=1))
            for status in lags("points", positions):
                unread = log.entries.read(
                    status.partition, positions.get(status.partition, 0), 1000
                )
                assert status.lag_events == len(unread)
                now = int(log.clock().timestamp() * 1000)
                first = unread[0].receipt.milliseconds if unread else now
                assert status.lag_seconds == (now - first) / 1000


def test_a_projection_that_only_other_hosts_write_is_on_standby_here() -> None:
    log, model = Log(), MemoryReadModel()
    statuses = ProjectionStatuses(model, log.entries, log.clock)
    here, elsewhere = Writer("a-1-2", here=True), Writer("b-1-2", here=False)
    for writers, state in (
        ((), State.LIVE),
        ((here,), State.LIVE),
        ((here, elsewhere), State.LIVE),
        ((elsewhere,), State.STANDBY),
    ):
        model.writers = writers
        assert [(s.state, s.writers) for s in statuses.states()] == [(state, writers)] * 3
        assert [s.help for s in statuses.states()] == [None] * 3
    model.generations["points"] = replace(model.generations["points"], stopped="the log is new")
    assert statuses.states()[0].state is State.STOPPED


def test_a_stopped_projection_is_not_counted_again_from_its_position(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log()
    receipts = [log.publish("gilt", batch([1.0])) for _ in range(100)]
    lags, partition = Lags(log.entries, log.clock), receipts[0].partition
    positions = {partition: receipts[9].position}
    assert lags("points", positions)[partition].lag_events == 90
    log.publish("gilt", batch([1.0]))
    counted: list[int] = []
    count = log.count

    def noted(partition: int, after: int) -> int:
        counted.append(found := count(partition, after))
        return found

    monkeypatch.setattr(log, "count", noted)
    assert lags("points", positions)[partition].lag_events == 91
    assert sum(counted) == 1, "only the new event"


def test_a_log_that_ends_below_the_positions_causes_no_lag() -> None:
    log = Log()
    receipt = log.publish("gilt", batch([1.0]))
    ahead = {receipt.partition: receipt.position + 1}
    assert Lags(log.entries, log.clock)("points", ahead)[receipt.partition].lag_events == 0


def test_a_projection_is_live_stopped_or_missing() -> None:
    log, model = Log(), MemoryReadModel()
    receipt = log.publish("gilt", batch([1.0]))
    model.add(log.reader.get(receipt))
    status = ProjectionStatuses(model, log.entries, log.clock)
    assert {(found.now.state, found.lag_events) for found in status()} == {(State.LIVE, 0)}
    live = model.generations["points"]

    model.generations["points"] = replace(live, stopped="the event 1-2-3 is gone")
    [points, names, _] = status()
    assert (points.now.state, points.now.reason) == (State.STOPPED, "the event 1-2-3 is gone")
    assert points.now.help == "rebuild it: cave replay points"
    assert points.now.last_event == receipt.milliseconds
    assert (names.now.state, names.now.help) == (State.LIVE, None)

    model.generations["points"] = replace(live, version=live.version - 1)
    [points, *_] = status()
    assert points.now.state is State.STOPPED
    assert f"this release has version {live.version}" in str(points.now.reason)

    del model.generations["points"]
    [points, *_] = status()
    assert (points.now.state, points.now.last_event, points.lag_events) == (State.MISSING, 0, 1)


def test_the_overview_agrees_with_the_status() -> None:
    log, stores = Log(), MemoryProjectionStores()
    log.publish_many(5)
    for projection in PROJECTIONS:
        live = stores.create(projection, Role.LIVE)
        with stores.open(live) as store:
            ProjectionRunner(log.reader, store, projection).step()
    log.publish_many(2)
    copy = stores.create(POINTS, Role.COPY, label="then")
    stores.create(POINTS, Role.BUILDING)
    [points, names, _] = tools(log, stores).overview()
    assert (points.status.lag_events, names.status.lag_events) == (2, 2)
    assert points.status.now.state is State.LIVE
    assert points.live is not None
    assert points.live.rows == 10
    assert [info.generation for info in points.copies] == [copy]
    assert [len(points.rebuilds), len(names.rebuilds), len(names.copies)] == [1, 0, 0]
    read = [p.position for p in points.status.partitions if p.position is not None]
    assert max(position.milliseconds for position in read) == points.status.now.last_event
