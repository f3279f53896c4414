"""The readers of the JSON format: the careful one defines the rules, the quick ones agree."""

from __future__ import annotations

import asyncio
import json
import re
from codecs import BOM_UTF8
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.compiled_code import Program
from adapters.point_formats.json.careful import read_carefully
from adapters.point_formats.json.format import SHARED_POINTS, JsonFormat
from adapters.point_formats.json.timestamps import to_milliseconds
from adapters.point_formats.scanned_texts import MAX_BYTES
from application.errors import BodyTooLarge, MalformedBody
from application.publishing.ports import BodyTerms
from domain.errors import MAX_FAULTS, InvalidMetrics
from domain.metric_point import MAX_TAGS, MAX_TIMESTAMP, PointBatch
from domain.names import MAX_NAME_LENGTH, MAX_TAG_VALUE_LENGTH
from tests.compiled_code.missing import raise_not_compiled

LATEST = 2_000_000_000_000
MAX_POINTS = 1000
ABSENT = object()


def item(**fields: Any) -> dict[str, Any]:
    """Return a valid item with some fields changed; ABSENT leaves a field out."""
    good = {"name": "orders", "timestamp": 1_398_788_625, "value": 1, "tags": {"host": "a"}}
    return {key: value for key, value in (good | fields).items() if value is not ABSENT}


def body(*items: Any) -> bytes:
    return json.dumps({"metrics": items}).encode()


OTHER = body(item(name="other", tags={"other": "1"}), item(timestamp=7, value=0.1 + 0.2))
READER = JsonFormat(MAX_POINTS)
SCANNING = JsonFormat(MAX_POINTS, scan_from=0)
SCANNING.scanner.load()


def quick(text: bytes) -> PointBatch | None:
    """Read a body decoded and scanned, as a worker does, and check that both agree."""
    decoded = READER.read_quickly(text, LATEST, MAX_POINTS)
    for _ in range(2):  # once with new texts, once with known ones
        either = SCANNING.read_quickly(text, LATEST, MAX_POINTS)
        assert decoded is None or repr_of(either) == repr_of(decoded)
    return either


def repr_of(batch: PointBatch | None) -> str:
    """Return a batch as text, values bit for bit."""
    return repr(None if batch is None else [*batch.points()])


def check_verdict(text: bytes, found: PointBatch | None) -> None:
    """Check that a faster reader gave up or read the same as the careful one."""
    try:
        expected = careful(text)
    except (InvalidMetrics, MalformedBody):
        assert found is None
    else:
        assert found is None or repr_of(found) == repr_of(expected)


def scanned(text: bytes) -> PointBatch | None:
    """Read a body with the scanner alone, between two others."""
    assert SCANNING.scanner.made is not None
    before, found, after = SCANNING.scanner.made.scan([OTHER, text, OTHER], LATEST, MAX_POINTS)
    assert repr_of(before) == repr_of(after) == repr_of(careful(OTHER))
    return found


def known_texts() -> set[bytes]:
    """Return the texts that the scanner remembers."""
    assert SCANNING.scanner.made is not None
    texts = SCANNING.scanner.made._texts.arrays
    places = texts.starts[1 : texts.numbers[0] + 1].tolist()
    return {texts.content[start:end].tobytes() for start, end in pairwise(places)}


def decoded(text: bytes, reader: JsonFormat = READER) -> PointBatch:
    """Read a body through the port's method."""
    return asyncio.run(reader.decode(text, BodyTerms(LATEST, LATEST, MAX_POINTS))).points


def careful(text: bytes) -> PointBatch:
    return read_carefully(text, LATEST, MAX_POINTS)


def faults(text: bytes) -> list[tuple[int | None, str]]:
    """Return the places of the faults, after checking that the quick readers give up."""
    assert quick(text) is None
    with pytest.raises(InvalidMetrics) as caught:
        careful(text)
    assert all(fault.detail for fault in caught.value.faults)
    return [(fault.index, fault.pointer) for fault in caught.value.faults]


def test_all_readers_read_the_same_points_from_a_valid_batch() -> None:
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


def test_an_empty_batch_is_valid() -> None:
    assert quick(b'{"metrics":[]}') == careful(b'{"metrics":[]}') == PointBatch((), (), (), ())


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        (item(name=ABSENT), "/metrics/1/name"),
        (item(metric="x"), "/metrics/1/metric"),
        (item(name=1), "/metrics/1/name"),
        (item(name=""), "/metrics/1/name"),
        (item(name="x" * 256), "/metrics/1/name"),
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
        (item(tags={f"t{i}": "x" for i in range(41)}), "/metrics/1/tags"),
        (item(tags={"a b": "x"}), "/metrics/1/tags/a b"),
        (item(tags={"a/b~": "x"}), "/metrics/1/tags/a~1b~0"),
        (item(tags={"a:b": "x"}), "/metrics/1/tags/a:b"),
        (item(tags={"host": "x" * 1025}), "/metrics/1/tags/host"),
        (item(tags={"host": ""}), "/metrics/1/tags/host"),
        (item(tags={"host": "a\tb"}), "/metrics/1/tags/host"),
        (item(tags={"host": 1}), "/metrics/1/tags/host"),
        (item(extra=1), "/metrics/1/extra"),
        (7, "/metrics/1"),
    ],
)
def test_an_invalid_field_is_reported_with_index_and_pointer(bad: Any, pointer: str) -> None:
    assert faults(body(item(), bad)) == [(1, pointer)]


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 5000])
def test_a_number_that_overflows_is_reported_for_its_field(number: str) -> None:
    text = f'{{"metrics":[{{"name":"a","timestamp":1,"value":{number},"tags":{{}}}}]}}'
    assert faults(text.encode()) == [(0, "/metrics/0/value")]


def test_every_invalid_field_is_listed_in_order() -> None:
    text = body(item(name=1, value="x"), item(), item(tags={"a": 1, "b": ""}))
    assert faults(text) == [
        (0, "/metrics/0/name"),
        (0, "/metrics/0/value"),
        (2, "/metrics/2/tags/a"),
        (2, "/metrics/2/tags/b"),
    ]


def test_at_most_the_first_hundred_faults_are_listed() -> None:
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
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{}}]}\xff',
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{}}]\\ud800}',
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a":"\\ud80"}}]}',
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a":"b",}}]}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_not_json_is_malformed(text: bytes) -> None:
    assert quick(text) is None
    with pytest.raises(MalformedBody):
        careful(text)


BROKEN = [
    rb"\ud800",
    rb"\uDfFf",
    rb"\ud800\ud800",
    rb"\udc00\ud800",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc3",
]
"""Text that is not Unicode: halves of surrogate pairs, bytes that are not UTF-8."""


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize(
    ("text", "places"),
    [
        (b'{"name":"a%b","timestamp":1,"value":1,"tags":{}}', [(1, "/metrics/1/name")]),
        (b'{"name":"a","timestamp":"%b","value":1,"tags":{}}', [(1, "/metrics/1/timestamp")]),
        (b'{"name":"a","timestamp":1,"value":"%b","tags":{}}', [(1, "/metrics/1/value")]),
        (
            b'{"name":"a","timestamp":1,"value":1,"tags":{"b":"1","a":"x%b\\ud83d\\ude00"}}',
            [(1, "/metrics/1/tags/a")],
        ),
        (b'{"name":"a","timestamp":1,"value":1e999,"tags":["%b"]}',
         [(1, "/metrics/1/value"), (1, "/metrics/1/tags")]),
        (b'"%b"', [(1, "/metrics/1")]),
    ],
)  # fmt: skip
def test_text_that_is_not_unicode_is_reported_for_its_field(
    broken: bytes, text: bytes, places: list[tuple[int, str]]
) -> None:
    good = json.dumps(item(tags={"a": "😀\\ud800", "b": "\ue000"}), ensure_ascii=False).encode()
    assert faults(b'{"metrics":[%b,%b]}' % (good, text % broken)) == places


@pytest.mark.parametrize("broken", BROKEN)
def test_the_pointer_to_a_name_that_is_not_unicode_has_replacement_characters(
    broken: bytes,
) -> None:
    text = b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a%b":"1"}}]}' % broken
    ((index, pointer),) = faults(text)
    assert index == 0
    assert re.fullmatch("/metrics/0/tags/a\ufffd+", pointer)
    assert faults(b'{"metrics":[],"%b":1}' % broken)[0][0] is None


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize(
    "text",
    [
        b'{"metrics":"%b","metrics":[]}',
        b'{"metrics":[{"name":"%b","name":"a","timestamp":1,"value":1,"tags":{}}]}',
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"b":"%b","b":"c"}}]}',
    ],
)
def test_text_that_is_not_unicode_is_refused_in_a_member_that_is_replaced_too(
    broken: bytes, text: bytes
) -> None:
    assert quick(text % broken) is None
    with pytest.raises((MalformedBody, InvalidMetrics)):
        careful(text % broken)


@pytest.mark.parametrize("place", [0, 40])
def test_a_byte_order_mark_before_the_body_is_ignored(place: int) -> None:
    text = body(*[item()] * (place + 1))
    for reader in (READER, SCANNING):
        assert decoded(BOM_UTF8 + text, reader) == careful(text)
    with pytest.raises(MalformedBody):
        decoded(text + BOM_UTF8)
    with pytest.raises(MalformedBody):
        decoded(BOM_UTF8 * 2 + text)


def test_a_large_body_with_a_fault_is_read_in_a_thread() -> None:
    text = body(*[item(tags={"a": "x" * 900})] * 500, item(name="-"))
    with pytest.raises(InvalidMetrics) as caught:
        decoded(text)
    assert [fault.pointer for fault in caught.value.faults] == ["/metrics/500/name"]


def test_both_readers_refuse_more_points_than_the_limit() -> None:
    text = body(*[item()] * (MAX_POINTS + 1))
    with pytest.raises(BodyTooLarge):
        quick(text)
    with pytest.raises(BodyTooLarge):
        careful(text)


def test_equal_tags_are_one_set_in_any_order_and_spacing() -> None:
    reader = JsonFormat(MAX_POINTS)
    text = (
        b'{"metrics":[{"name":"a","timestamp":1,"value":1,"tags":{"a":"1","b":"2"}},'
        b'{"name":"a","timestamp":1,"value":1,"tags":{ "b" : "2", "a":"\\u0031"}}]}'
    )
    batch = reader.read_quickly(text, LATEST, MAX_POINTS)
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
_tags = st.dictionaries(st.text("ab-1 \n", max_size=3), _value | st.text(max_size=3), max_size=42)
_item = st.one_of(
    st.builds(
        lambda changes: item(**changes),
        st.dictionaries(_field, _value | _tags | st.just(ABSENT), max_size=2),
    ),
    _value,
)


@settings(max_examples=300)
@given(st.lists(_item, max_size=4))
def test_the_quick_readers_never_disagree_with_the_careful_one(items: list[Any]) -> None:
    text = body(*items)
    found = quick(text)
    check_verdict(text, found)


@settings(max_examples=300)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    quick(text)
    try:
        careful(text)
    except (InvalidMetrics, MalformedBody):
        return


NUMBERS = ["0", "7", "-7", "0.5", "-0.0", "12.50", "1e3", "1E-3", "2.5e+10", "123456789.125"]


@pytest.mark.parametrize("number", NUMBERS)
def test_usual_numbers_are_scanned(number: str) -> None:
    text = f'{{"metrics":[{{"name":"a","timestamp":1,"value":{number},"tags":{{}}}}]}}'.encode()
    assert repr_of(scanned(text)) == repr_of(careful(text))


@settings(max_examples=500)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_scanned_numbers_are_exact(values: list[float]) -> None:
    text = body(*[item(value=value) for value in values])
    found = scanned(text)
    assert found is not None
    assert [*map(repr, found.values)] == [*map(repr, values)]


_digits = st.text("0123456789", max_size=25)


@settings(max_examples=500)
@given(_digits, _digits, st.sampled_from(["", "e", "e-", "E+"]), _digits, st.booleans())
def test_a_number_in_any_spelling_is_scanned_exactly_or_not_at_all(
    whole: str, part: str, mark: str, exponent: str, negative: bool
) -> None:
    number = f"{'-' * negative}{whole}{'.' * bool(part)}{part}{mark}{exponent if mark else ''}"
    text = f'{{"metrics":[{{"name":"a","timestamp":1,"value":{number},"tags":{{}}}}]}}'.encode()
    found = scanned(text)
    check_verdict(text, found)


@pytest.mark.parametrize(
    "text",
    [
        body(item(), item(name="b", tags={"a": "ü", "b": '😀 \\ " {}[]'}), item()),
        json.dumps({"metrics": [item(), item(timestamp=0)]}, indent=2).encode(),
        json.dumps({"metrics": [item(tags={"a": "ü"})]}, ensure_ascii=False).encode(),
        b'{"metrics":[{"tags":{"a":"1"},"value":1,"metric":"a","timestamp":1}]}',
        b' {\t"metrics" : [\r\n{"name" :"a" , "timestamp": 1 , "value" : 1 , "tags" : { } } ] } ',
    ],
)
def test_bodies_of_every_usual_layout_are_scanned(text: bytes) -> None:
    assert repr_of(scanned(text)) == repr_of(careful(text))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A body as clients write it, with up to two bytes inserted, removed or changed."""
    items = draw(st.lists(st.sampled_from([item(), item(name="b", value=-1.5), item(tags={})])))
    text = bytearray(json.dumps({"metrics": items}).encode())
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text) - 1))
        new = draw(
            st.sampled_from([b"", b" ", b'"', b"\\", b"{", b"}", b",", b"0", b"\0", b"\xff"])
        )
        text[at : at + draw(st.integers(0, 1))] = new
    return bytes(text)


@settings(max_examples=1000)
@given(damaged())
def test_a_damaged_body_is_scanned_only_if_it_is_still_valid(text: bytes) -> None:
    found = scanned(text)
    check_verdict(text, found)


@pytest.mark.parametrize("reader", [READER, SCANNING])
@settings(max_examples=200)
@given(st.lists(damaged(), max_size=6))
def test_bodies_decoded_together_are_those_decoded_one_by_one(
    reader: JsonFormat, texts: list[bytes]
) -> None:
    """A body that is not decoded together is invalid, empty, or unusual."""
    terms = BodyTerms(LATEST, LATEST, MAX_POINTS)
    found = reader.decode_together(texts, terms)
    assert len(found) == len(texts)
    for text, batch in zip(texts, found, strict=True):
        check_verdict(text, batch)
        (alone,) = reader.decode_together([text], terms)
        assert repr_of(alone) == repr_of(batch)
        assert batch is None or len(batch)


@pytest.mark.parametrize("reader", [READER, SCANNING])
@pytest.mark.parametrize("value", [b"1.5", b"0.12345678901234567890123", b"1e999"])
def test_of_single_points_decoded_together_only_the_bad_ones_are_left(
    reader: JsonFormat, value: bytes
) -> None:
    point = b'{"metrics":[{"name":"%b","timestamp":%d,"value":%b,"tags":{"%b":"v"}}]}'
    texts = [
        point % (b"a", 1, b"1", b"t"),
        point % (b"2 bad", 1, b"1", b"t"),
        point % (b"b", 2, value, b"u"),
        point % (b"a", 3, b"2", b"2 bad"),
        point % (b"a", 4, b"3", b"t"),
    ]
    for chosen in (texts, [texts[0], texts[2], texts[4]]):
        found = reader.decode_together(chosen, BodyTerms(LATEST, LATEST, 10))
        for text, batch in zip(chosen, found, strict=True):
            check_verdict(text, batch)
            is_bad = b"2 bad" in text or b"1e999" in text
            assert (batch is None) == is_bad


@pytest.mark.parametrize("reader", [READER, SCANNING])
def test_together_a_body_with_too_many_points_is_left_to_the_reader_that_refuses_it(
    reader: JsonFormat,
) -> None:
    texts = [body(*[item()] * points) for points in (1, 3, 2)]
    found = reader.decode_together(texts, BodyTerms(LATEST, LATEST, 2))
    assert [batch and len(batch) for batch in found] == [1, None, 2]


def test_bodies_that_have_no_room_together_are_scanned_as_far_as_there_is() -> None:
    reader = JsonFormat(10, scan_from=0)
    reader.scanner.load()
    texts = [body(*[item(value=index)] * 10) for index in range(SHARED_POINTS)]
    found = reader.decode_together(texts, BodyTerms(LATEST, LATEST, 10))
    for text, batch in zip(texts, found, strict=True):
        check_verdict(text, batch)
    assert None in found
    assert sum(map(len, filter(None, found))) > SHARED_POINTS - 10


@settings(max_examples=500)
@given(
    st.integers(0, 10**18 - 1)
    | st.sampled_from([MAX_TIMESTAMP, MAX_TIMESTAMP // 1000, MAX_TIMESTAMP * 1000]).flatmap(
        lambda limit: st.integers(limit - 2, limit + 2)
    ),
    st.integers(0, MAX_TIMESTAMP),
)
def test_scanned_times_are_in_milliseconds_and_not_after_the_latest(time: int, latest: int) -> None:
    assert SCANNING.scanner.made is not None
    (found,) = SCANNING.scanner.made.scan([body(item(timestamp=time))], latest, 1)
    expected = to_milliseconds(time)
    assert (None if found is None else [*found.timestamps]) == (
        [expected] if expected <= latest else None
    )


def test_invalid_texts_are_refused_every_time() -> None:
    for _ in range(3):
        assert faults(body(item(), item(name="1a"), item(tags={"a": ""}))) == [
            (1, "/metrics/1/name"),
            (2, "/metrics/2/tags/a"),
        ]
    assert scanned(body(item())) is not None


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [({"tags": "orders"}, "/metrics/2/tags"), ({"name": {"host": "a"}}, "/metrics/2/name")],
)
def test_a_name_is_not_accepted_as_tags_or_tags_as_a_name(
    bad: dict[str, Any], pointer: str
) -> None:
    assert faults(body(item(), item(), item(**bad))) == [(2, pointer)]
    assert faults(body(*[item(**bad)] * 3))


def test_tags_with_a_value_that_is_too_long_are_not_scanned() -> None:
    text = body(item(tags={"host": "a" * 20_000}))
    assert scanned(text) is None
    assert faults(text) == [(0, "/metrics/0/tags/host")]


def test_the_largest_tags_are_read_but_not_remembered() -> None:
    tags = {
        f"tag{i}".ljust(MAX_NAME_LENGTH, "x"): "😀" * MAX_TAG_VALUE_LENGTH for i in range(MAX_TAGS)
    }
    text = body(item(tags=tags))
    known = known_texts()
    assert scanned(text) is None
    assert known_texts() == known
    batch = quick(text)
    assert batch is not None
    assert [each.as_dict() for each in batch.tag_sets] == [tags]


@pytest.mark.parametrize(
    ("count", "length"), [(10, 127), (MAX_TAGS, 300), (12, MAX_TAG_VALUE_LENGTH)]
)
def test_remembered_texts_are_bounded_and_forgetting_them_loses_nothing(
    count: int, length: int
) -> None:
    """All tags are new, and together three times as large as the limit."""
    size = count * (length + len('"tag10":"",'))
    points = min(MAX_POINTS, MAX_BYTES // 2 // size)
    forgotten = False
    for turn in range(3 * MAX_BYTES // (points * size)):
        tags = [
            {f"tag{i}": f"{turn}-{point}".ljust(length, "x") for i in range(count)}
            for point in range(points)
        ]
        known = known_texts()
        found = scanned(body(*[item(tags=each) for each in tags]))
        assert found is not None
        assert [t.as_dict() for t in found.tag_sets] == tags
        assert sum(map(len, known_texts())) <= MAX_BYTES
        forgotten |= not known <= known_texts()
    assert forgotten
    assert scanned(body(item(), item(name="b"))) == careful(body(item(), item(name="b")))


def test_a_batch_with_more_texts_than_can_be_remembered_is_decoded() -> None:
    reader = JsonFormat(10_000, scan_from=0)
    reader.scanner.load()
    tags = [{f"tag{i}": f"{point}".ljust(127, "x") for i in range(10)} for point in range(7_000)]
    found = reader.read_quickly(body(*[item(tags=each) for each in tags]), LATEST, 10_000)
    assert found is not None
    assert [t.as_dict() for t in found.tag_sets] == tags


def test_a_body_with_more_texts_than_can_be_remembered_changes_no_other_of_its_turn() -> None:
    reader = JsonFormat(10_000, scan_from=0)
    reader.scanner.load()
    tags = [{f"tag{i}": f"{point}".ljust(127, "x") for i in range(10)} for point in range(7_000)]
    terms = BodyTerms(LATEST, LATEST, 10_000)
    texts = [OTHER, body(*[item(tags=each) for each in tags])]
    assert reader.decode_together(texts, terms) == [None, None]
    (alone,) = reader.decode_together([OTHER], terms)
    assert repr_of(alone) == repr_of(careful(OTHER))


def test_the_first_large_body_loads_the_scanner() -> None:
    reader = JsonFormat(MAX_POINTS)
    assert reader.read_quickly(body(item()), LATEST, MAX_POINTS) is not None
    assert reader.scanner.thread is None
    large = body(*[item()] * 100)
    assert reader.read_quickly(large, LATEST, MAX_POINTS) == careful(large)
    assert reader.scanner.thread is not None
    reader.scanner.thread.join()
    assert reader.scanner.made is not None
    assert reader.read_quickly(large, LATEST, MAX_POINTS) == careful(large)


def test_without_compiled_code_bodies_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Program, "load", raise_not_compiled)
    reader = JsonFormat(MAX_POINTS, scan_from=0)
    reader.scanner.load()
    assert reader.scanner.made is None
    assert reader.read_quickly(body(item()), LATEST, MAX_POINTS) == careful(body(item()))
