"""OpenTSDB's and KairosDB's JSON: the rules, and quick readers that keep to them."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_formats.formats import all_formats
from adapters.point_formats.json_points import MARKS_PER_POINT, Reader
from adapters.point_formats.kairosdb.quick import KairosReader
from adapters.point_formats.kairosdb.readable import read_kairos
from adapters.point_formats.opentsdb.quick import PutReader
from adapters.point_formats.opentsdb.readable import read_put
from adapters.point_formats.reader_format import MAX_ON_LOOP
from application.errors import BodyTooLarge, MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason

RECEIVED = 1_790_000_000_000
TERMS = BodyTerms(RECEIVED + 86_400_000, RECEIVED, 1000)
SECOND = 1_500_000_000
PUT = {"metric": "m", "timestamp": SECOND, "value": 1, "tags": {"host": "a"}}
METRIC = {"name": "m", "timestamp": SECOND * 1000, "value": 1, "tags": {"host": "a"}}
FORMATS = ("opentsdb", "kairosdb")

Read = Callable[[bytes, BodyTerms], Decoded]
READERS: dict[str, tuple[Callable[[], Reader], Read]] = {
    "opentsdb": (PutReader, read_put),
    "kairosdb": (KairosReader, read_kairos),
}
both = pytest.mark.parametrize("name", FORMATS)


def decode(name: str, body: object, terms: BodyTerms = TERMS) -> Decoded:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return asyncio.run(all_formats(1000)[name].decode(sent, terms))


def item(name: str, **changes: Any) -> dict[str, Any]:
    """Return a valid item with some fields changed; `metric` is the name of either format."""
    found = {**(PUT if name == "opentsdb" else METRIC), **changes}
    if name == "kairosdb" and "metric" in found:
        found["name"] = found.pop("metric")
    return found


def rows(decoded: Decoded) -> list[tuple[str, int, float, dict[str, str]]]:
    return [(p.name, p.timestamp, p.value, p.tags) for p in decoded.points.points()]


def refused(decoded: Decoded) -> list[tuple[str, Reason, int]]:
    found = decoded.refused.first if decoded.refused else []
    return [(point.place, point.reason, point.points) for point in found]


GOOD = ("m", SECOND * 1000, 1.0, {"host": "a"})


@both
def test_a_body_is_an_item_or_an_array_of_them(name: str) -> None:
    assert rows(decode(name, item(name))) == [GOOD]
    assert rows(decode(name, [item(name)] * 3)) == [GOOD] * 3
    assert rows(decode(name, [])) == []
    assert rows(decode(name, b" \n[ ] ")) == []
    assert rows(decode(name, b"\xef\xbb\xbf" + json.dumps([item(name)]).encode())) == [GOOD]


@both
def test_names_and_tags_are_mapped(name: str) -> None:
    decoded = decode(name, item(name, metric="1 a/b", tags={"x y": "a\n", "": "", "é": "ü"}))
    assert rows(decoded) == [("_1_a/b", SECOND * 1000, 1.0, {"x_y": "a\ufffd", "_": "ü"})]


@both
@pytest.mark.parametrize("change", [{"unknown": [1]}, {"tags": {}}, {"tags": None}])
def test_unknown_fields_are_ignored_and_tags_may_be_missing(
    name: str, change: dict[str, Any]
) -> None:
    assert len(rows(decode(name, item(name, **change)))) == 1


@both
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"metric": ""}, Reason.NAME),
        ({"metric": None}, Reason.NAME),
        ({"metric": 1}, Reason.NAME),
        ({"metric": "n" * 256}, Reason.NAME),
        ({"timestamp": None}, Reason.TIME),
        ({"timestamp": "x"}, Reason.TIME),
        ({"timestamp": True}, Reason.TIME),
        ({"timestamp": -1}, Reason.TIME),
        ({"timestamp": TERMS.latest + 1}, Reason.TIME),
        ({"timestamp": 10**400}, Reason.TIME),
        ({"value": None}, Reason.VALUE),
        ({"value": True}, Reason.VALUE),
        ({"value": [1]}, Reason.VALUE),
        ({"value": float("nan")}, Reason.VALUE),
        ({"value": float("-inf")}, Reason.VALUE),
        ({"value": 10**400}, Reason.VALUE),
        ({"tags": []}, Reason.TAG),
        ({"tags": {"a": 1}}, Reason.TAG),
        ({"tags": {"a": "v" * 1025}}, Reason.TAG),
        ({"tags": {"a b": "x", "a_b": "y"}}, Reason.TAG),
        ({"tags": {f"t{number}": "x" for number in range(41)}}, Reason.TOO_MANY_TAGS),
    ],
)
def test_a_bad_point_is_refused_alone(name: str, change: dict[str, Any], reason: Reason) -> None:
    decoded = decode(name, [item(name), item(name, **change), item(name)])
    assert rows(decoded) == [GOOD, GOOD]
    assert refused(decoded) == [("/1", reason, 1)]
    assert decoded.timed


@both
@pytest.mark.parametrize("content", [1, "a", None, [], [[]]])
def test_an_item_that_is_no_object_is_refused_alone(name: str, content: object) -> None:
    decoded = decode(name, [item(name), content])
    assert rows(decoded) == [GOOD]
    assert [reason for _, reason, _ in refused(decoded)] == [Reason.SYNTAX]


@both
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"x", b"{", b"[", b"[1", b"[1,", b"[1,]", b"[,1]", b"[1 2]", b"[] x", b"1 2"),
        *(b'{"a":1', b"\xff", b'"\xff"', b"[" * 20_000, b'{"a":' * 20_000, b"9" * 10_000),
    ],
)
def test_a_body_that_is_no_json_is_malformed(name: str, body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode(name, body)


@both
def test_more_points_than_the_limit_are_too_large(name: str) -> None:
    terms = BodyTerms(TERMS.latest, RECEIVED, 10)
    assert len(decode(name, [item(name)] * 10, terms).points) == 10
    for extra in ({}, {"value": None}):
        with pytest.raises(BodyTooLarge):
            decode(name, [item(name)] * 11 + [item(name, **extra)], terms)
    junk = b"[" + b"[]," * max(MARKS_PER_POINT * 10, MAX_ON_LOOP // 3) + b"[]]"
    with pytest.raises(BodyTooLarge):
        decode(name, junk, terms)


@both
def test_a_large_body_is_read_in_a_thread_with_the_same_result(name: str) -> None:
    many = [item(name, tags={"host": "a" * 1000}) for _ in range(MAX_ON_LOOP // 1000 + 1)]
    decoded = decode(name, [*many, 1])
    assert len(decoded.points) == len(many)
    assert refused(decoded) == [(f"/{len(many)}", Reason.SYNTAX, 1)]


@pytest.mark.parametrize(
    ("timestamp", "milliseconds"),
    [
        (1, 1000),
        (9_999_999_999, None),
        (10_000_000_000, 10_000_000_000),
        (SECOND * 1000 + 123, SECOND * 1000 + 123),
        (str(SECOND), SECOND * 1000),
        (f"{SECOND}.123", SECOND * 1000 + 123),
        (SECOND + 0.5, SECOND * 1000 + 500),
        (0, None),
        ("", None),
        ("1e", None),
        ("٣", None),
        ("1_0", None),
    ],
)
def test_opentsdbs_times_have_seconds_or_over_ten_digits(
    timestamp: object, milliseconds: int | None
) -> None:
    decoded = decode("opentsdb", {**PUT, "timestamp": timestamp})
    assert [*decoded.points.timestamps] == ([] if milliseconds is None else [milliseconds])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((1.5, 1.5), ("1.5", 1.5), ("-2e3", -2000.0), ("+1", 1.0), ("007", 7.0), (".5", 0.5)),
        *((text, None) for text in ("", "x", "NaN", "inf", "1_0", " 1", "0x1", "1e400", "٣")),
    ],
)
def test_opentsdbs_values_may_be_numbers_as_text(value: object, expected: float | None) -> None:
    decoded = decode("opentsdb", {**PUT, "value": value})
    assert [*decoded.points.values] == ([] if expected is None else [expected])
    if expected is None:
        assert decoded.refused is not None
        (point,) = decoded.refused.first
        assert (point.place, point.reason) == ("/0", Reason.VALUE)
        assert msgspec.json.decode(point.original) == {**PUT, "value": value}


def test_a_refused_item_is_repeated_if_it_is_short() -> None:
    decoded = decode("opentsdb", [{"metric": "a" * 1000}, {"metric": "a"}])
    assert decoded.refused is not None
    assert [point.original for point in decoded.refused.first] == ["", '{"metric": "a"}']


def test_a_metric_of_kairosdb_may_have_many_points() -> None:
    points = [[SECOND * 1000 + 1, 2], [SECOND * 1000 + 2, 2.5]]
    decoded = decode(
        "kairosdb", [{**METRIC, "datapoints": points}, {"name": "n", "datapoints": points}]
    )
    assert [(name, time - SECOND * 1000, value) for name, time, value, _ in rows(decoded)] == [
        *(("m", 0, 1.0), ("m", 1, 2.0), ("m", 2, 2.5), ("n", 1, 2.0), ("n", 2, 2.5)),
    ]
    assert rows(decode("kairosdb", {"name": "n", "datapoints": []})) == []


def test_each_point_of_a_metric_of_kairosdb_is_refused_alone() -> None:
    time = SECOND * 1000
    bad: list[tuple[object, Reason]] = [
        (1, Reason.SYNTAX),
        ([], Reason.SYNTAX),
        ([time], Reason.SYNTAX),
        ([time, 1, "long", 2], Reason.SYNTAX),
        (["x", 1], Reason.TIME),
        ([-1, 1], Reason.TIME),
        ([time, None], Reason.VALUE),
        ([time, "1"], Reason.UNSUPPORTED),
        ([time, 1, "string"], Reason.UNSUPPORTED),
    ]
    points = [[time, 1], *(point for point, _ in bad), [time, 2, "double"]]
    decoded = decode("kairosdb", [{"name": "m", "datapoints": points, "ttl": 300, "type": "long"}])
    assert [*decoded.points.values] == [1.0, 2.0]
    assert refused(decoded) == [
        (f"/0/datapoints/{index}", reason, 1) for index, (_, reason) in enumerate(bad, 1)
    ]


def test_a_metric_of_kairosdb_that_cannot_be_mapped_is_refused_with_all_its_points() -> None:
    metric = {**METRIC, "name": "", "datapoints": [[1, 1], [2, 2]]}
    assert refused(decode("kairosdb", [metric])) == [("/0", Reason.NAME, 3)]
    for wrong in ({"name": "m"}, {"name": "m", "datapoints": 1}):
        assert refused(decode("kairosdb", [wrong])) == [("/0", Reason.SYNTAX, 1)]


@pytest.mark.parametrize("change", [{"type": "string"}, {"value": "1"}])
def test_strings_of_kairosdb_are_not_stored(change: dict[str, str]) -> None:
    assert refused(decode("kairosdb", {**METRIC, **change})) == [("/0", Reason.UNSUPPORTED, 1)]


names = st.sampled_from(["a", "m.x", "", "1 a", "é", "n" * 256])
# fmt: off
numbers = st.one_of(
    st.integers(), st.floats(), st.integers(0, RECEIVED), st.just(SECOND), st.just(1),
    st.just(-0.0),
    st.sampled_from(["1", "-1.5", "nan", "1_0", "1e400", " 1", "", "x", 10**19, 10**400]),
    st.just(2**53 + 1),
    st.none(), st.booleans(), st.just([]),
)
# fmt: on
tag_sets = st.dictionaries(names, st.sampled_from(["x", "", "v\n", "v" * 1025]), max_size=2)
odd_tags: st.SearchStrategy[Any] = st.sampled_from([None, [], {"a": 1}, {"a": None}, "x", 1])


@st.composite
def items(draw: st.DrawFn, name: str) -> object:
    fields: dict[str, Any] = {
        "metric" if name == "opentsdb" else "name": draw(names),
        "timestamp": draw(numbers),
        "value": draw(numbers),
        "tags": draw(tag_sets | odd_tags),
        "more": 1,
        "type": draw(st.sampled_from(["long", "string", 1, None])),
        "datapoints": draw(
            st.lists(st.lists(numbers, max_size=3) | st.tuples(st.just(1), st.just(2)), max_size=3)
            | st.none()
        ),
    }
    kept = draw(st.sets(st.sampled_from([*fields])))
    return {field: value for field, value in fields.items() if field in kept}


@st.composite
def good_items(draw: st.DrawFn, name: str) -> object:
    time = draw(st.integers(1, SECOND))
    value = draw(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9))
    written = str(value) if name == "opentsdb" and draw(st.booleans()) else value
    found = item(name, metric=draw(st.sampled_from("abc")), timestamp=time, value=written)
    if name == "kairosdb" and draw(st.booleans()):
        found["datapoints"] = [[time, value]] * draw(st.integers(0, 3))
    return found


@st.composite
def bodies(draw: st.DrawFn, name: str) -> bytes:
    kinds = draw(st.sampled_from([good_items(name), items(name) | st.integers(), items(name)]))
    listed = draw(st.lists(kinds, max_size=4))
    content = listed[0] if len(listed) == 1 and draw(st.booleans()) else listed
    body = bytearray(json.dumps(content, ensure_ascii=draw(st.booleans())).encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1]))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body)


def verdict(decoded: Decoded) -> tuple[object, ...]:
    """Return all that a reader says, values bit for bit."""
    return (
        [(*row[:2], struct.pack(">d", row[2]), row[3]) for row in rows(decoded)],
        decoded.refused and (decoded.refused.first, decoded.refused.counts),
    )


@both
@given(data=st.data())
def test_the_quick_reader_keeps_to_the_readable_one(name: str, data: st.DataObject) -> None:
    body = data.draw(bodies(name))
    quick, readable = READERS[name]
    points = quick().read(body, TERMS)
    try:
        expected = readable(body, TERMS)
    except MalformedBody:
        assert points is None
        return
    if points is not None:
        assert verdict(Decoded(points)) == verdict(expected)


@both
@given(data=st.data())
def test_the_quick_reader_reads_what_is_valid(name: str, data: st.DataObject) -> None:
    listed = data.draw(st.lists(good_items(name), max_size=5))
    body = json.dumps(listed).encode()
    quick, readable = READERS[name]
    points = quick().read(body, TERMS)
    assert points is not None
    assert verdict(Decoded(points)) == verdict(readable(body, TERMS))
