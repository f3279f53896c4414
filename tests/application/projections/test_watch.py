"""The projections' state in a worker: one look for all callers, and never on the event loop."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from adapters.memory.read_model import MemoryReadModel
from application.errors import LogUnavailable
from application.looking import Unknown
from application.projections.errors import StoreUnavailable
from application.projections.folds import METRIC_NAMES, POINTS
from application.projections.ports import LiveProgress, Writer
from application.projections.status import ProjectionStatus, ProjectionStatuses, State
from application.projections.watch import ProjectionWatch
from tests.application.projections.world import Log, batch

SECONDS = 10.0


class Model(MemoryReadModel):
    """Counts looks, and may block or fail in them."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.threads: set[int] = set()
        self.let_go = threading.Event()
        self.let_go.set()
        self.failure: Exception | None = None

    def live(self, projection: str) -> LiveProgress | None:
        self.looks += projection == "points"
        self.threads.add(threading.get_ident())
        assert self.let_go.wait(SECONDS)
        if self.failure is not None:
            raise self.failure
        return super().live(projection)


def watch(model: Model, log: Log, *, interval: float = 0.0, **limits: float) -> ProjectionWatch:
    status = ProjectionStatuses(model, log.entries, log.clock)
    return ProjectionWatch(
        status, interval=interval, max_share=math.inf, **{"patience": SECONDS, **limits}
    )


def test_no_warning_while_all_is_well() -> None:
    log, model = Log(), Model()
    model.add(log.reader.get(log.publish("gilt", batch([1.0]))))
    log.publish("gilt", batch([1.0]))
    log.clock.advance(timedelta(seconds=60))
    assert asyncio.run(watch(model, log).warnings()) == []


def test_a_projection_that_another_host_writes_is_no_warning() -> None:
    log, model = Log(), Model()
    model.writers = (Writer("b-1-2", here=False),)
    watching = watch(model, log)
    assert asyncio.run(watching.warnings()) == []
    names = ("points", "metric_names", "metric_metadata")
    assert asyncio.run(watching.states()) == dict.fromkeys(names, State.STANDBY)
    model.failure = StoreUnavailable("away")
    assert asyncio.run(watch(model, log).states()) == {}


def test_every_projection_that_lags_by_more_than_a_minute_is_named() -> None:
    log, model = Log(), Model()
    model.add(log.reader.get(log.publish("gilt", batch([1.0]))))
    for _ in range(2):
        log.publish("gilt", batch([1.0]))
    log.clock.advance(timedelta(seconds=75))
    assert asyncio.run(watch(model, log).warnings()) == [
        f"the projection {name} is 75 s behind the log, by 2 events"
        for name in ("points", "metric_names", "metric_metadata")
    ]
    model.generations.clear()
    [first, *_] = asyncio.run(watch(model, log).warnings())
    assert first == (
        "the projection points, which was not built yet, is 75 s behind the log, by 3 events"
    )


def test_a_stopped_projection_is_named_with_advice() -> None:
    log, model = Log(), Model()
    model.generations["points"] = replace(model.generations["points"], stopped="the log is new")
    assert asyncio.run(watch(model, log).warnings()) == [
        "the projection points is stopped: the log is new; rebuild it: cave replay points"
    ]


def test_answers_are_stale_only_if_they_come_from_stopped_projections() -> None:
    log, model = Log(), Model()
    receipt = log.publish("gilt", batch([1.0]))
    model.add(log.reader.get(receipt))
    model.generations["points"] = replace(model.generations["points"], stopped="the log is new")
    watched = watch(model, log)

    async def scenario() -> list[int | None]:
        return [
            await watched.stale_since(POINTS),
            await watched.stale_since(METRIC_NAMES),
            await watched.stale_since(POINTS, METRIC_NAMES),
        ]

    assert asyncio.run(scenario()) == [receipt.milliseconds, None, receipt.milliseconds]


def test_projections_are_known_to_run_only_as_long_as_a_look_is_recent() -> None:
    log, model = Log(), Model()
    recent, never = watch(model, log, interval=3600.0), watch(model, log)

    async def look(watched: ProjectionWatch) -> None:
        await watched.stale_since(POINTS)

    assert not recent.known_running(POINTS), "nobody has looked yet"
    asyncio.run(look(recent))
    asyncio.run(look(never))
    assert recent.known_running(POINTS, METRIC_NAMES)
    assert not never.known_running(POINTS)
    model.generations["points"] = replace(model.generations["points"], stopped="the log is new")
    stopped, unknown = watch(model, log, interval=3600.0), watch(model, log, interval=3600.0)
    asyncio.run(look(stopped))
    model.failure = StoreUnavailable("the store is away")
    asyncio.run(look(unknown))
    assert not stopped.known_running(POINTS)
    assert stopped.known_running(METRIC_NAMES)
    assert not unknown.known_running(METRIC_NAMES)


def test_a_log_or_store_that_does_not_answer_is_a_warning() -> None:
    log, model = Log(), Model()

    def failing(call: str) -> None:
        raise LogUnavailable("the log is away")

    model.failure = StoreUnavailable("the store is away")
    watched = watch(model, log)
    assert asyncio.run(watched.warnings()) == [
        "the state of the projections is unknown: the store is away"
    ]
    assert asyncio.run(watched.stale_since(POINTS)) is None
    model.failure = None
    model.generations["points"] = replace(model.generations["points"], stopped="the log is new")
    log.publish("gilt", batch([1.0]))
    log.fault = failing
    assert asyncio.run(watched.warnings()) == [
        "the state of the projections is unknown: the log is away"
    ]
    assert asyncio.run(watched.stale_since(POINTS)) == 0, "the log is not needed for that"


def test_concurrent_callers_share_one_look_outside_the_event_loop() -> None:
    log, model = Log(), Model()
    watched = watch(model, log, interval=3600.0)

    async def scenario() -> list[Sequence[ProjectionStatus] | Unknown]:
        return await asyncio.gather(*(watched.statuses() for _ in range(20)))

    assert all(not isinstance(found, Unknown) for found in asyncio.run(scenario()))
    assert model.looks == 1
    assert threading.get_ident() not in model.threads
    asyncio.run(scenario())
    assert model.looks == 1, "a result is reused for the interval"


def test_no_caller_waits_long_for_a_slow_look() -> None:
    """Until it is done, callers get the previous result, unless that is too old."""
    log, model = Log(), Model()
    watched = watch(model, log, patience=0.01)

    async def scenario() -> None:
        model.let_go.clear()
        assert isinstance(await watched.statuses(), Unknown), "there was no look yet"
        model.let_go.set()
        while isinstance(found := await watched.statuses(), Unknown):
            pass
        model.let_go.clear()
        assert await watched.statuses() == found
        watched._statuses._max_age = 0.0
        assert isinstance(await watched.statuses(), Unknown)
        model.let_go.set()

    asyncio.run(scenario())
