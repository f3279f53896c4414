"""The two readers of a publish body: the careful one says what is wrong, the quick one agrees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.http.errors import BodyTooLarge, MalformedBody
from adapters.http.metrics_body import MetricsBodyReader, read_carefully
from domain.errors import MAX_FAULTS, InvalidMetrics
from domain.metric_point import PointBatch

LATEST = 2_000_000_000_000
MAX_POINTS = 1000
ABSENT = object()


def item(**fields: Any) -> dict[str, Any]:
    """A good item, changed in some fields; ABSENT leaves one out."""
    good = {"name": "orders", "timestamp": 1_398_788_625, "value": 1, "tags": {"host": "a"}}
    return {key: value for key, value in (good | fields).items() if value is not ABSENT}


def body(*items: Any) -> bytes:
    return json.dumps({"metrics": items}).encode()


def quick(text: bytes) -> PointBatch | None:
    return MetricsBodyReader(MAX_POINTS).read_quickly(text, LATEST)


def careful(text: bytes) -> PointBatch:
    return read_carefully(text, LATEST, MAX_POINTS)


def faults(text: bytes) -> list[tuple[int | None, str]]:
    """The faults' places; the quick reader must have given up."""
    assert quick(text) is None
    with pytest.raises(InvalidMetrics) as caught:
        careful(text)
    assert all(fault.detail for fault in caught.value.faults)
    return [(fault.index, fault.pointer) for fault in caught.value.faults]


def test_a_good_batch_is_read_the_same_by_both_point_for_point() -> None:
    text = body(item(), item(name="b.c-d_e", value=-0.0, tags={}), item(value=1e-310))
    batch = quick(text)
    assert batch == careful(text)
    assert batch is not None
    points = list(batch.points())
    assert [point.name for point in points] == ["orders", "b.c-d_e", "orders"]
    assert [str(point.value) for point in points] == ["1.0", "-0.0", "1e-310"]
    assert [point.timestamp for point in points] == [1_398_788_625_000] * 3
    assert [point.tags for point in points] == [{"host": "a"}, {}, {"host": "a"}]


@pytest.mark.parametrize(
    "items",
    [
        [item(name=ABSENT, metric="a"), item(name=ABSENT, metric="b")],
        [item(name="a"), item(name=ABSENT, metric="b")],
        [item(name=ABSENT, metric="a"), item(name="b")],
    ],
)
def test_both_spellings_of_the_name_are_accepted_item_by_item(items: list[Any]) -> None:
    text = body(*items)
    assert [p.name for p in careful(text).points()] == ["a", "b"]
    assert quick(text) in (None, careful(text))


def test_a_batch_in_one_spelling_is_read_quickly() -> None:
    assert quick(body(item(name=ABSENT, metric="a"))) is not None


def test_an_empty_batch_is_a_batch() -> None:
    assert quick(b'{"metrics":[]}') == careful(b'{"metrics":[]}') == PointBatch((), (), (), ())


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        (item(name=ABSENT), "/metrics/1/name"),
        (item(metric="x"), "/metrics/1/metric"),
        (item(name=1), "/metrics/1/name"),
        (item(name=""), "/metrics/1/name"),
        (item(name="x" * 128), "/metrics/1/name"),
        (item(name="1a"), "/metrics/1/name"),
        (item(name="a\n"), "/metrics/1/name"),
        (item(timestamp=ABSENT), "/metrics/1/timestamp"),
        (item(timestamp=None), "/metrics/1/timestamp"),
        (item(timestamp="1"), "/metrics/1/timestamp"),
        (item(timestamp=True), "/metrics/1/timestamp"),
        (item(timestamp=1.5), "/metrics/1/timestamp"),
        (item(timestamp=-1), "/metrics/1/timestamp"),
        (item(timestamp=2_000_000_001), "/metrics/1/timestamp"),
        (item(value=ABSENT), "/metrics/1/value"),
        (item(value=True), "/metrics/1/value"),
        (item(value="1"), "/metrics/1/value"),
        (item(value=10**400), "/metrics/1/value"),
        (item(tags=ABSENT), "/metrics/1/tags"),
        (item(tags=[]), "/metrics/1/tags"),
        (item(tags={f"t{i}": "x" for i in range(11)}), "/metrics/1/tags"),
        (item(tags={"a b": "x"}), "/metrics/1/tags/a b"),
        (item(tags={"a/b~": "x"}), "/metrics/1/tags/a~1b~0"),
        (item(tags={"host": ""}), "/metrics/1/tags/host"),
        (item(tags={"host": "a\tb"}), "/metrics/1/tags/host"),
        (item(tags={"host": 1}), "/metrics/1/tags/host"),
        (item(extra=1), "/metrics/1/extra"),
        (7, "/metrics/1"),
    ],
)
def test_a_bad_field_is_named_by_index_and_pointer(bad: Any, pointer: str) -> None:
    assert faults(body(item(), bad)) == [(1, pointer)]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 5000])
def test_a_number_that_overflows_is_its_fields_fault(number: str) -> None:
    text = f'{{"metrics":[{{"name":"a","timestamp":1,"value":{number},"tags":{{}}}}]}}'
    assert faults(text.encode()) == [(0, "/metrics/0/value")]


def test_every_bad_field_is_listed_in_order() -> None:
    text = body(item(name=1, value="x"), item(), item(tags={"a": 1, "b": ""}))
    assert faults(text) == [
        (0, "/metrics/0/name"),
        (0, "/metrics/0/value"),
        (2, "/metrics/2/tags/a"),
        (2, "/metrics/2/tags/b"),
    ]


def test_no_more_than_the_first_hundred_are_listed() -> None:
    found = faults(body(*[item(value="x")] * 150))
    assert len(found) == MAX_FAULTS
    assert found[-1] == (99, "/metrics/99/value")


@pytest.mark.parametrize(
    ("text", "pointers"),
    [
        (b"[]", [""]),
        (b"1", [""]),
        (b"1e999", [""]),
        (b"null", [""]),
        (b"{}", ["/metrics"]),
        (b'{"metrics":null}', ["/metrics"]),
        (b'{"metrics":{},"x":1}', ["/x", "/metrics"]),
        (b'{"metrics":[],"x":1}', ["/x"]),
    ],
)
def test_a_fault_of_the_body_as_a_whole_has_no_index(text: bytes, pointers: list[str]) -> None:
    assert faults(text) == [(None, pointer) for pointer in pointers]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"metrics":[}',
        b'{"metrics":[]} x',
        b'{"metrics":[{"name":"a","timestamp":1,"value":NaN,"tags":{}}]}',
        b'{"metrics":[{"name":"a","timestamp":01,"value":1,"tags":{}}]}',
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a":"\xff"}}]}',
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a":"\\ud800"}}]}',
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a":"b",}}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_malformed(text: bytes) -> None:
    assert quick(text) is None
    with pytest.raises(MalformedBody):
        careful(text)


def test_more_points_than_the_limit_are_refused_by_both() -> None:
    text = body(*[item()] * (MAX_POINTS + 1))
    with pytest.raises(BodyTooLarge):
        quick(text)
    with pytest.raises(BodyTooLarge):
        careful(text)


def test_tags_are_one_set_whatever_their_order_and_spacing() -> None:
    reader = MetricsBodyReader(MAX_POINTS)
    text = (
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a":"1","b":"2"}},'
        b'{"name":"a","timestamp":1,"value":1,"tags":{ "b" : "2", "a":"\\u0031"}}]}'
    )
    batch = reader.read_quickly(text, LATEST)
    assert batch is not None
    assert batch.tag_sets[0] == batch.tag_sets[1]


_value = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.just(10**400),
    st.lists(st.integers(), max_size=2),
)
_field = st.sampled_from(["name", "metric", "timestamp", "value", "tags", "extra"])
_tags = st.dictionaries(st.text("ab-1 \n", max_size=3), _value | st.text(max_size=3), max_size=12)
_item = st.one_of(
    st.builds(
        lambda changes: item(**changes),
        st.dictionaries(_field, _value | _tags | st.just(ABSENT), max_size=2),
    ),
    _value,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_item, max_size=4))
def test_the_quick_reader_never_disagrees_with_the_careful_one(items: list[Any]) -> None:
    text = body(*items)
    found = quick(text)
    try:
        expected = careful(text)
    except (InvalidMetrics, MalformedBody):
        assert found is None
    else:
        assert found is None or repr([*found.points()]) == repr([*expected.points()])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_get_a_verdict(text: bytes) -> None:
    quick(text)
    try:
        careful(text)
    except (InvalidMetrics, MalformedBody):
        return
