"""Payloads of points: every form that a writer may choose, and every reader of them."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.event_format import vectors
from adapters.event_format.column_writing import PACK_FROM, ColumnWriting
from adapters.event_format.compression import Compressor
from adapters.event_format.decoder import MetricDecoder
from adapters.event_format.encoder import MetricEncoder
from application.event_log.ports import UnreadableEvent
from domain.columns import CodedColumn, coded
from domain.metric_point import MAX_TIMESTAMP, PointBatch, tag_set
from domain.values import from_bits
from tests.contracts.metric_log import NOT_FINITE, TRICKY_BATCHES, batch_of
from tests.event_format.support import always_loaded

Encode = Callable[[PointBatch], bytes]


@pytest.fixture(params=["vectors", "loops"], scope="module", autouse=True)
def reading(request: pytest.FixtureRequest) -> Iterator[None]:
    """Read and write with NumPy wherever it can be used, or never."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "vectors":
            patch.setattr(vectors, "VECTORS_FROM", 1)
        else:
            patch.setattr(vectors, "_numpy", lambda: None)
        yield


packed = MetricEncoder(always_loaded(pack_from=1)).payload
unpacked = MetricEncoder(always_loaded(pack_from=1 << 20)).payload
plain = MetricEncoder().payload
decoder = MetricDecoder()


def decoded(payload: bytes, count: int, encoding: bytes = b"") -> PointBatch:
    fields = {
        b"topic": b"p.v3",
        b"organization": b"gilt",
        b"team": b"",
        b"token": b"t1",
        b"count": b"%d" % count,
        b"encoding": encoding,
        b"payload": payload,
    }
    return decoder.event(fields).points


decimals = st.builds(
    lambda number, exponent: number / 10**exponent,
    st.integers(-(10**6), 10**6),
    st.integers(0, 6),
)
values = (
    decimals
    | st.floats()
    | st.integers(0, 2**64 - 1).map(from_bits)
    | st.sampled_from([0.0, -0.0, 2.0**53, 2.0**53 + 2, 1e22, 1e-22, *NOT_FINITE])
)
times = st.sampled_from([0, 1, 1_700_000_000_000, MAX_TIMESTAMP])
points = st.tuples(
    st.sampled_from("abc"),
    times | st.integers(0, MAX_TIMESTAMP),
    values,
    st.sampled_from(({}, {"host": "a"}, {"host": "é"})),
)
batches = st.lists(points, min_size=1, max_size=50).map(batch_of) | st.builds(
    # Batches whose values are decimals: these are packed.
    lambda names, numbers, divisor: batch_of(
        [(names[i % len(names)], i, n / divisor, {}) for i, n in enumerate(numbers)]
    ),
    st.lists(st.sampled_from("abcde"), min_size=1),
    st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=60),
    st.sampled_from([1, 10, 1000, 3]),
)


@given(batches)
@example(batch_of([("a", 0, 2.0**53, {}), ("a", 0, 0.5, {})]))  # one exponent makes it too large
@example(batch_of([("a", 0, n * 1.0, {}) for n in (-1, 1, -1, 2**53, -(2**53))]))
@example(batch_of([("a", 0, v, {}) for v in (1.5, math.nan, -0.0, 0.1)]))
def test_every_point_is_read_back_in_all_its_bits(points: PointBatch) -> None:
    for encode in (packed, plain):
        assert decoded(encode(points), len(points)) == points


@given(st.integers(0, MAX_TIMESTAMP), st.floats(allow_nan=False, allow_infinity=False))
@example(0, 0.0)
@example(MAX_TIMESTAMP, -0.0)
def test_a_point_alone_is_written_as_any_other_batch(time: int, value: float) -> None:
    """A known series is encoded from what is remembered of it."""
    encoder = MetricEncoder()
    tags = tag_set({"host": "a", "zone": "ü"})
    assert tags is not None
    for _ in range(2):
        alone, general = (
            PointBatch(
                ("m.é",), array("q", [time]), array("d", [value]), (tags,), known_finite=known
            )
            for known in (True, False)
        )
        assert encoder.payload(alone) == encoder.payload(general)


@pytest.mark.parametrize("name", TRICKY_BATCHES)
@pytest.mark.parametrize("times", [1, 40])
def test_tricky_batches_are_read_back(name: str, times: int) -> None:
    points = batch_of(TRICKY_BATCHES[name] * times)
    for encode in (packed, plain):
        assert decoded(encode(points), len(points)) == points


@pytest.mark.parametrize("kinds", [1, 2, 255, 256, 257, 300, 65_537])
def test_codes_of_every_width_are_read_back(kinds: int) -> None:
    chance = random.Random(kinds)
    rows = [*range(kinds), *(chance.randrange(kinds) for _ in range(50)), 0, kinds - 1, 0]
    tags = [tag_set({"host": f"h{number}"}) for number in range(kinds)]
    points = PointBatch(
        [f"m{row}" for row in rows],
        [kinds - row for row in rows],
        [row / 4 for row in rows],
        [tags[row] for row in rows],
    )
    for encode in (packed, plain):
        assert decoded(encode(points), len(points)) == points


def test_a_table_may_have_entries_twice_and_unused_ones() -> None:
    tags = [tag_set({"a": "b"}), tag_set({"a": "b"}), tag_set({})]
    points = PointBatch(
        CodedColumn(("x", "y", "x"), array("B", (2, 0, 2))),
        CodedColumn((5, 5, 9), array("H", (1, 0, 1))),
        array("d", (1.5, 2.5, 3.5)),
        CodedColumn(tags, array("I", (1, 0, 1))),  # type: ignore[arg-type]
    )
    for encode in (packed, plain):
        assert decoded(encode(points), 3) == points


def columns_of(payload: bytes) -> dict[str, Any]:
    """Return the elements of a payload by what the page calls them."""
    names = ("names", "tag sets", "times", "name codes", "tag codes", "time codes")
    rest = ("values", "exponents", "base", "lag")
    return dict(zip((*names, *rest), msgspec.msgpack.decode(payload), strict=False))


def regular(values: Sequence[float], names: str = "a") -> PointBatch:
    return batch_of([(names[i % len(names)], i, v, {}) for i, v in enumerate(values)])


NOISE = [from_bits(random.Random(n).getrandbits(64)) for n in range(20)]


@pytest.mark.parametrize(
    ("points", "exponents", "lag", "bytes_per_value"),
    [
        (regular([7.0, 250.0, 1.0, 90.0]), [0], 0, 1),
        (regular([0.25, 10.5, 0.75, 300.0]), [2], 0, 2),
        (regular([1e9 + n * n % 199 for n in range(50)]), [0], 0, 1),  # a base
        (regular([n * 1e6 for n in range(50)]), [0], 1, 3),
        (regular([(n % 3 * 1e9 + n) for n in range(60)], "abc"), [0, 0, 0], 3, 4),
        (regular([1.5, 0.1 + 0.2, 2.5, math.pi], "ab"), [1, 255], 0, 8),
        (regular([-0.0, 1.0] * 9, "ab"), [255, 0], 0, 8),
        (regular(NOISE), None, None, 8),
    ],
    ids=["bytes", "decimals", "base", "row", "period", "bits", "minus zero", "floats"],
)
def test_values_are_packed_as_closely_as_they_allow(
    points: PointBatch, exponents: list[int] | None, lag: int | None, bytes_per_value: int
) -> None:
    columns = columns_of(packed(points))
    assert columns.get("exponents") == (bytes(exponents) if exponents else None)
    assert columns.get("lag") == lag
    assert len(columns["values"]) == bytes_per_value * len(points)


def test_values_stay_floats_until_the_compiled_code_is_loaded() -> None:
    writing = ColumnWriting()
    encode = MetricEncoder(writing).payload
    few, many = regular([0.5] * (PACK_FROM - 1)), regular([0.5] * PACK_FROM)
    assert "exponents" not in columns_of(encode(few))
    assert writing.loader.thread is None
    encode(many)
    assert writing.loader.thread is not None
    writing.loader.thread.join()
    assert "exponents" not in columns_of(encode(few))
    assert "exponents" in columns_of(encode(many))


@given(batches)
@example(batch_of([(f"m{n % 300}", n * n, n / 3, {"host": f"h{n % 299}"}) for n in range(1000)]))
@example(batch_of([("m", -n % 66_000, 0.5, {}) for n in range(70_000)]))
@example(batch_of([("m", n % 3 << 46 - n % 3, 0.5, {}) for n in range(70)]))
def test_columns_are_the_same_whether_or_not_compiled_code_writes_them(points: PointBatch) -> None:
    times = array("q", points.timestamps)
    points, coded_points = (replace(points, timestamps=each) for each in (times, coded(times)))
    if len(points) > 1:
        assert unpacked(points) == plain(points)
    assert packed(points) == packed(coded_points)


def test_one_encoder_packs_batches_of_growing_size() -> None:
    for count in (10, 2000, 7, 5000):
        points = regular([n / 8 for n in range(count)], "abc")
        assert decoded(packed(points), count) == points


POINTS = regular([n / 4 for n in range(40)], "ab")
PACKED, PLAIN = columns_of(packed(POINTS)), columns_of(plain(POINTS))
MANY = columns_of(plain(batch_of([(f"m{n}", 0, 1.0, {}) for n in range(300)])))
TOO_LARGE = {"exponents": b"\0\0", "values": bytes(39) + b"\1" + bytes(40 * 7), "base": 2**53}


@pytest.mark.parametrize(
    ("columns", "changed", "fault"),
    [
        (PLAIN, {"values": bytes(8 * 39)}, "312 bytes, not 8 per point"),
        (PLAIN, {"values": bytes(7)}, "fewer than 40 values"),
        (PLAIN, {"name codes": bytes(39)}, "the codes of the names have 39 bytes, not 1 per"),
        (PLAIN, {"name codes": bytes(39) + b"\2"}, "code of the names is outside its table of 2"),
        (PLAIN, {"tag codes": b"\1" * 40}, "code of the tag sets is outside its table of 1"),
        (PLAIN, {"time codes": b"\x28" * 40}, "code of the times is outside its table of 40"),
        (PLAIN, {"time codes": b""}, "the codes of the times have 0 bytes"),
        (PLAIN, {"times": []}, "no times"),
        (PLAIN, {"times": [-1]}, "time is out of range"),
        (PLAIN, {"times": [MAX_TIMESTAMP, 1]}, "time is out of range"),
        (PLAIN, {"times": [2**64 - 1] * 40}, "time is out of range"),
        (PLAIN, {"times": [1.5]}, "float"),
        (PLAIN, {"names": []}, "outside its table of 0"),
        (PLAIN, {"names": ["a", "2 bad"]}, "a name must match"),
        (PLAIN, {"tag sets": [{"": "a"}]}, "tag set is invalid"),
        (PLAIN, {"tag sets": [{"a": "\0"}]}, "tag set is invalid"),
        (PLAIN, {"tag sets": [7]}, "Expected `object`"),
        (PACKED, {"eleventh": 0}, "at most length 10, got 11"),
        (MANY, {"name codes": bytes(599)}, "599 bytes, not 2 per point"),
        (MANY, {"name codes": b"\xff" * 600}, "outside its table of 300"),
        (PACKED, {"values": bytes(41)}, "41 bytes, not 1 to 8 per point"),
        (PACKED, {"values": bytes(40 * 9)}, "360 bytes, not 1 to 8 per point"),
        (PACKED, {"values": b""}, "fewer than 40 values"),
        (PACKED, {"exponents": b"\0"}, "2 names have 1 exponents"),
        (PACKED, {"exponents": b"\0\x17"}, "exponent is neither up to 22 nor 255"),
        (PACKED, {"lag": -1}, "lag is -1"),
        (PACKED, {"lag": 41}, "lag is 41"),
        (PACKED, {"base": 2**63}, "base is not a 64-bit integer"),
        (PACKED, TOO_LARGE, "integer of a value exceeds"),
        (PACKED, {**TOO_LARGE, "exponents": b"\xff\0"}, "integer of a value exceeds"),
        (PACKED, {"base": 2**52, "lag": 1}, "integer of a value exceeds"),
        (PACKED, {"base": -(2**63)}, "integer of a value exceeds"),
    ],
)
def test_a_damaged_payload_is_an_error_that_says_what_is_wrong(
    columns: dict[str, Any], changed: dict[str, Any], fault: str
) -> None:
    payload = msgspec.msgpack.encode([*{**columns, **changed}.values()])
    count = 300 if columns is MANY else 40
    with pytest.raises(UnreadableEvent, match=fault):
        decoded(payload, count)


@pytest.mark.parametrize("count", [0, -1, 10**9, 10**18])
@pytest.mark.parametrize("encode", [packed, plain], ids=["packed", "plain"])
def test_a_count_that_is_not_that_of_the_points_is_an_error_before_any_memory_is_taken(
    encode: Encode, count: int
) -> None:
    with pytest.raises(UnreadableEvent, match=r"the count is|fewer than"):
        decoded(encode(batch_of([("a", 0, 1.0, {})] * 3)), count)


def test_values_that_are_the_bits_of_floats_may_be_any_integers() -> None:
    changed = {"values": bytes(40), "exponents": b"\xff\xff", "base": -(2**63), "lag": 0}
    found = decoded(msgspec.msgpack.encode([*{**PACKED, **changed}.values()]), 40)
    assert str(found.values[0]) == "-0.0"


@given(st.data())
def test_damaged_bytes_are_unreadable_or_other_points(data: st.DataObject) -> None:
    """Whatever is read is valid: it can be written and read again."""
    points = data.draw(batches)
    payload = bytearray(data.draw(st.sampled_from([packed, plain]))(points))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(payload)))
        payload[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    count = data.draw(st.just(len(points)) | st.integers(-1, 200))
    try:
        found = decoded(bytes(payload), count)
    except UnreadableEvent:
        return
    assert len(found) == count
    assert min(found.timestamps) >= 0
    assert decoded(plain(found), count) == found


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (lambda frame: frame[:-3], "cut off"),
        (lambda frame: frame + b"x", "bytes behind"),
        (lambda frame: frame + frame, "bytes behind"),
        (lambda _: b"", "cut off"),
        (lambda frame: b"x" + frame, "."),
    ],
    ids=["cut", "longer", "twice", "empty", "not a frame"],
)
def test_a_damaged_frame_is_an_error(damage: Callable[[bytes], bytes], fault: str) -> None:
    frame = Compressor().compress(plain(POINTS))
    assert decoded(frame, 40, b"zstd") == POINTS
    with pytest.raises(UnreadableEvent, match=fault):
        decoded(damage(frame), 40, b"zstd")


def test_a_frame_that_grows_without_bound_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = Compressor().compress(bytes(3 << 20))
    monkeypatch.setattr("adapters.event_format.compression.MAX_CONTENT", 1 << 20)
    with pytest.raises(UnreadableEvent, match="1048576 bytes are exceeded"):
        decoded(frame, 40, b"zstd")


def test_encoding_does_not_change_the_batch() -> None:
    codes = array("H", range(300))
    points = PointBatch(
        CodedColumn([f"m{n}" for n in range(300)], codes),
        [0] * 300,
        array("d", range(300)),
        coded([tag_set({})] * 300),  # type: ignore[list-item]
    )
    packed(points)
    assert codes == array("H", range(300))
    assert list(points.values) == [*range(300)]


def test_events_of_single_points_share_the_columns_of_their_names_and_tag_sets() -> None:
    sent = [batch_of([("a", time, float(time), {"host": "b"})]) for time in (1, 2)]
    first, second = (decoded(plain(batch), 1) for batch in sent)
    assert [first, second] == sent
    assert second.names is first.names
    assert second.tag_sets is first.tag_sets


@given(st.lists(points, max_size=20), st.sampled_from([plain, packed]))
def test_single_points_are_read_the_same_whatever_was_read_before(
    rows: list[tuple[str, int, float, dict[str, str]]], encode: Encode
) -> None:
    for row in rows:
        batch = batch_of([row])
        assert decoded(encode(batch), 1) == batch


@pytest.mark.parametrize(
    ("names", "tag_sets", "times", "values"),
    [
        (["no name"], [{}], [1], bytes(8)),
        ([], [{}], [1], bytes(8)),
        (["a"], [], [1], bytes(8)),
        (["a"], [{"no tag": "b"}], [1], bytes(8)),
        (["a"], [{}], [-1], bytes(8)),
        (["a"], [{}], [MAX_TIMESTAMP + 1], bytes(8)),
        (["a"], [{}], [], bytes(8)),
        (["a"], [{}], [1], bytes(7)),
    ],
)
def test_an_invalid_single_point_is_refused_each_time(
    names: list[str], tag_sets: list[dict[str, str]], times: list[int], values: bytes
) -> None:
    payload = msgspec.msgpack.encode((names, tag_sets, times, None, None, None, values))
    reasons = []
    for _ in range(2):
        with pytest.raises(UnreadableEvent) as refused:
            decoded(payload, 1)
        reasons.append(str(refused.value))
    assert reasons[0] == reasons[1]
