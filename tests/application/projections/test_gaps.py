"""What a gap in the log does to projections: no replay, no verification, no silence."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from application.errors import LogGap, UnknownReceipt
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionDiverged
from application.projections.folds import POINTS
from application.projections.live import LiveProjection, live_generation
from application.projections.ports import Role
from application.projections.shared_pages import SharedPages
from tests.application.projections.test_rebuilding import feed, ignore
from tests.application.projections.world import Log, Stores, batch, tools

Damage = Callable[[Log, list[Receipt]], tuple[Receipt, Receipt]]
"""Removes events of one partition; returns a receipt that is missing, and the gap's last bound."""


def trimmed(log: Log, receipts: list[Receipt]) -> tuple[Receipt, Receipt]:
    log.trim_before(receipts[4])
    return receipts[3], Receipt.at(receipts[4].partition, receipts[4].position - 1)


def one_deleted(log: Log, receipts: list[Receipt]) -> tuple[Receipt, Receipt]:
    log.delete(receipts[5])
    return receipts[5], receipts[5]


def several_deleted(log: Log, receipts: list[Receipt]) -> tuple[Receipt, Receipt]:
    log.delete(receipts[2])
    log.delete(receipts[6])
    return receipts[2], receipts[6]


def the_first_deleted(log: Log, receipts: list[Receipt]) -> tuple[Receipt, Receipt]:
    log.delete(receipts[0])
    return receipts[0], receipts[0]


def all_trimmed(log: Log, receipts: list[Receipt]) -> tuple[Receipt, Receipt]:
    log.trim_before(Receipt(receipts[0].partition, 1 << 42, 0))
    return receipts[0], receipts[-1]


def the_end_lost(log: Log, receipts: list[Receipt]) -> tuple[Receipt, Receipt]:
    """A replica was promoted that had not received the last events; a reader had seen them."""
    reader = log.entries
    assert reader.gap(receipts[0].partition) is None
    log.lose_after(receipts[6], "promoted")
    gap = reader.gap(receipts[0].partition)
    assert gap is not None
    assert gap.first == Receipt.at(receipts[6].partition, receipts[6].position + 1)
    return receipts[7], receipts[9]


DAMAGES = [the_end_lost, trimmed, one_deleted, several_deleted, the_first_deleted, all_trimmed]


@pytest.fixture
def stores() -> Stores:
    return Stores()


def filled() -> tuple[Log, list[Receipt]]:
    log = Log()
    return log, [log.publish("gilt", batch([float(n)])) for n in range(10)]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_gap_names_its_first_and_last_missing_position(damage: Damage) -> None:
    log, receipts = filled()
    missing, last = damage(log, receipts)
    gap = log.entries.gap(missing.partition)
    assert gap is not None
    assert gap.first <= missing
    assert gap.last == last
    assert str(gap.first) in str(gap)
    assert str(last) in str(gap)
    others = {p for p in range(log.partitions()) if log.entries.gap(p) is not None}
    assert others == {missing.partition}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_reader_stops_at_the_gap(damage: Damage) -> None:
    log, receipts = filled()
    missing, _ = damage(log, receipts)
    gap = log.entries.gap(missing.partition)
    assert gap is not None
    before = [receipt for receipt in receipts if receipt < gap.first]
    if before:
        found = log.entries.read(missing.partition, 0, 100)
        assert [entry.receipt for entry in found] == before
    with pytest.raises(LogGap):
        log.entries.read(missing.partition, before[-1].position if before else 0, 100)


@pytest.mark.parametrize("damage", [d for d in DAMAGES if d is not all_trimmed])
def test_a_reader_that_is_past_the_gap_goes_on(damage: Damage) -> None:
    log, receipts = filled()
    damage(log, receipts)
    later = log.publish("gilt", batch([1.0]))
    found = log.entries.read(later.partition, receipts[-1].position, 100)
    assert [entry.receipt for entry in found] == [later]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_replay_does_not_swap_and_a_verification_fails(damage: Damage, stores: Stores) -> None:
    log, receipts = filled()
    live = stores.create(POINTS, Role.LIVE)
    feed(log, stores, live)
    damage(log, receipts)
    for act in (tools(log, stores).replay.rebuild, tools(log, stores).verify):
        with pytest.raises(LogGap):
            act(POINTS, ignore)
    assert live_generation(stores, "points") == live
    assert len(stores.rows(live)) == len(receipts)


@pytest.mark.parametrize("damage", DAMAGES)
def test_an_accepted_loss_is_rebuilt_from_the_events_that_are_left(
    damage: Damage, stores: Stores
) -> None:
    log, receipts = filled()
    feed(log, stores, stores.create(POINTS, Role.LIVE))
    damage(log, receipts)
    log.publish("gilt", batch([1.0]))
    left = log.extent(receipts[0].partition).entries
    replayed = tools(log, stores).replay.rebuild(POINTS, ignore, accept_loss=True)
    assert len(stores.rows(replayed.generation)) == left
    feed(log, stores, replayed.generation)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_projection_that_has_not_read_the_events_stops_and_says_so(
    damage: Damage, stores: Stores
) -> None:
    log, receipts = filled()
    damage(log, receipts)
    stop = threading.Event()
    live = LiveProjection(SharedPages(log.reader), stores, POINTS, interval=0.0, pause=0.0)
    thread = threading.Thread(target=live.run, args=(stop,))
    thread.start()
    try:
        for _ in range(1000):
            found = live_generation(stores, "points")
            if found is not None and found.stopped is not None:
                break
            stop.wait(0.005)
    finally:
        stop.set()
        thread.join()
    assert found is not None
    assert found.stopped is not None
    assert "missing from the log" in found.stopped
    assert not stores.rows(found)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_receipt_of_a_missing_event_is_unknown_and_the_others_are_not(damage: Damage) -> None:
    log, receipts = filled()
    missing, _ = damage(log, receipts)
    with pytest.raises(UnknownReceipt):
        log.reader.get(missing)
    assert not log.reader.has(missing, "gilt")
    for receipt in receipts:
        left = log.find(receipt) is not None
        assert log.reader.has(receipt, "gilt") == left


def test_a_lost_stream_is_neither_replayed_nor_verified(stores: Stores) -> None:
    log, receipts = filled()
    live = stores.create(POINTS, Role.LIVE)
    feed(log, stores, live)
    log.lose(receipts[0].partition)
    log.publish("gilt", batch([1.0]))
    for act in (tools(log, stores).replay.rebuild, tools(log, stores).verify):
        with pytest.raises(ProjectionDiverged, match=str(receipts[-1])):
            act(POINTS, ignore)
    assert live_generation(stores, "points") == live
    replayed = tools(log, stores).replay.rebuild(POINTS, ignore, accept_loss=True)
    assert len(stores.rows(replayed.generation)) == 1
