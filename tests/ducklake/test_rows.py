"""Events are converted to columns that contain every point unchanged."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ducklake.store.nan_bits import without_nan_bits
from adapters.ducklake.store.rows import (
    DAY,
    FEW_DAYS,
    MANY_DAYS,
    MANY_POINTS,
    days,
    points_table,
    tag_text,
    tags_text,
)
from application.event_log.ports import RecordedMetrics
from domain.columns import CodedColumn
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet, tag_set
from domain.values import NAN_BITS, bits_of, from_bits
from tests.contracts.metric_log import TRICKY_BATCHES, Point
from tests.contracts.projection_store import recorded, some_points

names = st.from_regex(r"[a-zA-Z][_a-zA-Z0-9.-]{0,3}", fullmatch=True)
values = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=6) | st.sampled_from(
    ['"', "\\", '\\"', '"a":"b"', '","a":"b', 'b","a":"b', "b\\", ':"', '{"a":"b"}', "\u2028"]
)
tags = st.dictionaries(names, values, max_size=4)


def valid(pairs: dict[str, str]) -> TagSet:
    found = tag_set(pairs)
    assert found is not None
    return found


@given(tags, names, values)
def test_a_tag_s_text_is_in_that_of_a_set_exactly_if_the_set_has_the_tag(
    pairs: dict[str, str], name: str, value: str
) -> None:
    has_it = pairs.get(name) == value
    assert (tag_text(name, value) in tags_text(valid(pairs))) == has_it


@given(tags.filter(bool), st.data())
def test_a_tag_is_found_in_its_set_but_its_prefixes_and_suffixes_are_not(
    pairs: dict[str, str], data: st.DataObject
) -> None:
    name, value = data.draw(st.sampled_from(sorted(pairs.items())))
    text = tags_text(valid(pairs))
    assert tag_text(name, value) in text
    for part in (value[1:], value[:-1], value + '"', "\\" + value):
        if part != value:
            assert tag_text(name, part) not in text
    for part in (name[1:], name[:-1], name + "x"):
        if pairs.get(part) != value:
            assert tag_text(part, value) not in text


def rows_of(events: list[RecordedMetrics]) -> list[tuple[Any, ...]]:
    """Return the expected rows, each value as its bits."""
    return [
        (
            event.event.organization,
            event.event.team or "",
            point.name,
            tags_text(valid(point.tags)),
            point.timestamp,
            bits_of(point.value or 0.0),
            event.receipt.partition,
            event.receipt.position,
            item,
        )
        for event in events
        for item, point in enumerate(event.event.points.points())
    ]


def as_columns(event: RecordedMetrics, code_type: str) -> RecordedMetrics:
    """Return an event as read from the log: coded columns, with unused dictionary entries."""

    def column(values: Any) -> CodedColumn[Any]:
        table = [*dict.fromkeys(values), *values[:1]]
        return CodedColumn(table, array(code_type, map(table.index, values)))

    points = event.event.points
    batch = PointBatch(
        column(points.names),
        array("q", points.timestamps),
        array("d", points.values),
        column(points.tag_sets),
    )
    published = MetricsPublished(
        organization=event.event.organization,
        team=event.event.team,
        token_id=event.event.token_id,
        points=batch,
    )
    return RecordedMetrics(event.receipt, published, event.digest)


def several() -> list[RecordedMetrics]:
    batches: list[list[Point]] = [*TRICKY_BATCHES.values(), [], some_points(300)]
    return [
        recorded(number % 3, number, points, f"org{number % 4}", "web" if number % 3 else None)
        for number, points in enumerate(batches)
    ]


def values_of(table: pa.Table) -> list[float]:
    """Return the values of rows as DuckDB reads them."""
    columns = (table[name].to_pylist() for name in ("value", "digits", "divisor"))
    return [
        digits / divisor if value is None else value
        for value, digits, divisor in zip(*columns, strict=True)
    ]


@pytest.mark.parametrize("code_types", ["B", "H", "I", "BHI", ""])
def test_every_point_is_there_sorted_and_then_in_log_order(code_types: str) -> None:
    events = several()
    if code_types:
        events = [as_columns(e, code_types[i % len(code_types)]) for i, e in enumerate(events)]
    table = points_table(events)
    names = ("organization", "team", "name", "tags", "time", "partition", "position", "item")
    columns = {name: table[name].to_pylist() for name in names}
    texts, own = zip(*map(without_nan_bits, columns["tags"]), strict=True)
    bits = [bits_of(of_value) if of_tags is None else of_tags
            for of_value, of_tags in zip(values_of(table), own, strict=True)]  # fmt: skip
    places = [*zip(*(columns[name] for name in names[-3:]), strict=True)]
    rows = [(*row[:5], value, *row[5:])
            for row, value in zip(zip(*{**columns, "tags": texts}.values(), strict=True),
                                  bits, strict=True)]  # fmt: skip
    assert Counter(rows) == Counter(rows_of(events))
    series = [*zip(*(columns[name] for name in names[:4]), strict=True)]
    numbers = {row[6:]: number for number, row in enumerate(rows_of(events))}
    in_log = [numbers[place] for place in places]
    assert list(zip(series, in_log, strict=True)) == sorted(zip(series, in_log, strict=True))


def test_many_names_are_sorted_too() -> None:
    points: list[Point] = [(f"n{i * 7919 % 80_021}", 0, 1.0, {}) for i in range(80_000)]
    found = points_table([recorded(0, 1, points)])["name"].to_pylist()
    assert found == sorted(name for name, _, _, _ in points)


def test_no_events_make_no_rows() -> None:
    assert points_table([recorded(0, 1, [])]).num_rows == 0


def days_of(*numbers: int) -> list[int | None]:
    times = points_table([recorded(0, 1, [("a", n * DAY + 5, 1.0, {}) for n in numbers])])["time"]
    found = days(times.to_numpy()).cast("int32").to_pylist()
    return list(found)


def test_a_few_days_have_a_file_each() -> None:
    numbers = list(range(100, 100 + FEW_DAYS))
    assert days_of(*numbers) == numbers
    apart = [n * 500 for n in range(FEW_DAYS)]
    assert days_of(*apart) == apart


def test_of_very_many_days_only_the_most_common_have_a_file_each() -> None:
    common, scattered = [10**4] * 3, list(range(0, 3000, 3))
    found = days_of(*common, *scattered)
    assert found[:3] == common
    assert sum(day is not None for day in found) == 3 + FEW_DAYS - 1


def test_days_of_many_points_have_a_file_each_up_to_a_limit() -> None:
    numbers = [n for n in range(2 * MANY_DAYS) for _ in range(MANY_POINTS)]
    found = days_of(*numbers)
    assert len({day for day in found if day is not None}) == MANY_DAYS
    assert all(day in {None, number} for day, number in zip(found, numbers, strict=True))


any_bits = st.integers(0, 2**64 - 1) | st.integers(0x7FF0000000000000, 0x7FF0000000000009)


@given(st.lists(any_bits, min_size=1))
def test_a_stored_value_is_finite_infinite_or_the_ordinary_nan_and_has_its_bits(
    bits: list[int],
) -> None:
    """DuckDB takes all other NaNs for the same one."""
    points: list[Point] = [("a", 0, from_bits(each), {"host": "a"}) for each in bits]
    table = points_table([recorded(0, 1, points)])
    stored = zip(
        table["tags"].to_pylist(), values_of(table), table["item"].to_pylist(), strict=True
    )
    for text, value, item in stored:
        each = bits[item]
        tags, own = without_nan_bits(text)
        assert tags == '{"host":"a"}'
        assert tag_text("host", "a") in text
        assert own is None or bits_of(value) == NAN_BITS
        assert (bits_of(value) if own is None else own) == bits_of(from_bits(each) or 0.0)
        assert own is not None or value == value or each == NAN_BITS
