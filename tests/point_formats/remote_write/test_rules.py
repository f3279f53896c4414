"""What series become, and which are refused, in both versions."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from adapters.point_formats.remote_write import wire
from adapters.point_formats.remote_write.scanner import Scanner
from adapters.point_formats.remote_write.version_1 import Version1Reader
from adapters.point_formats.remote_write.version_2 import SYMBOLS_PER_POINT, Version2Reader
from application.errors import BodyTooLarge, MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.metric_description import MetricDescription, MetricType
from tests.point_formats.remote_write.requests import (
    STALE,
    TIME,
    Labels,
    histogram,
    metadata_1,
    named,
    request_1,
    request_2,
    sample,
    series_1,
    series_2,
)
from tests.point_formats.remote_write.slow_reader import LATEST
from tests.point_formats.remote_write.wire import integer, text, varint

MAX_POINTS = 100
TERMS = BodyTerms(LATEST, TIME, MAX_POINTS)


def read_1(body: bytes) -> Decoded:
    return Version1Reader().read(body, TERMS)


def read_2(body: bytes) -> Decoded:
    return Version2Reader().read(body, TERMS)


def both(labels: Labels, *samples: bytes, histograms: Iterable[bytes] = ()) -> list[Decoded]:
    """Read one series in each version."""
    sent = [*histograms]
    return [
        read_1(request_1(series_1(labels, *samples, histograms=sent))),
        read_2(request_2(series_2(labels, *samples, histograms=sent))),
    ]


def rows(decoded: Decoded) -> list[tuple[str, int, float, dict[str, str]]]:
    return [(p.name, p.timestamp, p.value, p.tags) for p in decoded.points.points()]


def refusals(decoded: Decoded) -> list[tuple[str, Reason, int]]:
    found = decoded.refused.first if decoded.refused else []
    assert all(each.detail for each in found)
    return [(each.place, each.reason, each.points) for each in found]


def test_the_name_is_a_label_and_the_others_are_tags() -> None:
    for decoded in both(named("up", job="node", empty=""), sample(0.5), sample(0.0, 0)):
        assert rows(decoded) == [
            ("up", TIME, 0.5, {"job": "node"}),
            ("up", 0, 0.0, {"job": "node"}),
        ]
        assert decoded.refused is None
        assert decoded.timed
        assert decoded.sent == {"samples": 2, "histograms": 0}


def test_names_are_mapped() -> None:
    for decoded in both(named("http requests", **{"a b": "x\ny", "9": "z"}), sample()):
        assert rows(decoded) == [("http_requests", TIME, 1.5, {"a_b": "x\ufffdy", "_9": "z"})]


@pytest.mark.parametrize("bits", [STALE, struct.pack("<d", float("nan")), b"\0" * 6 + b"\xf0\xff"])
def test_values_keep_their_bits(bits: bytes) -> None:
    scanned = Scanner(10).scan(request_1(series_1(named("up"), sample(bits))), TERMS)
    assert scanned is not None
    for decoded in (*both(named("up"), sample(bits)), scanned):
        assert bytes(memoryview(decoded.points.values)) == bits  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (named(""), Reason.NAME),
        ([(b"job", b"node")], Reason.NAME),
        (named("x" * 256), Reason.NAME),
        ([*named("up"), (b"a", b"1"), (b"a", b"1")], Reason.TAG),
        ([*named("up"), *named("up")], Reason.TAG),
        ([*named("up"), (b"a", b""), (b"a", b"1")], Reason.TAG),
        ([*named("up"), (b"a", b"\xff")], Reason.TAG),
        ([*named("up"), (b"\xff", b"a")], Reason.TAG),
        ([*named("up"), (b"", b"a")], Reason.TAG),
        (named("up", **{"a b": "1", "a_b": "2"}), Reason.TAG),
        (named("up", a="x" * 1025), Reason.TAG),
        (named("up", **{f"l{n}": "x" for n in range(41)}), Reason.TOO_MANY_TAGS),
        (named("up", **{f"l{n}": "x" for n in range(50_000)}), Reason.TOO_MANY_TAGS),
    ],
)
def test_labels_that_cannot_be_mapped_refuse_their_series(labels: Labels, reason: Reason) -> None:
    for decoded in both(labels, sample(), sample(), histograms=[histogram()]):
        assert rows(decoded) == []
        assert refusals(decoded) == [("series 1", reason, 3)]
        assert decoded.sent == {"samples": 0, "histograms": 0}


def test_the_other_series_and_samples_are_kept() -> None:
    good, bad = named("up", host="a"), named("")
    late = sample(time=LATEST + 1)
    sent = [(bad, [sample()]), (good, [sample(1.0), sample(time=-1), late]), (good, [sample(2.0)])]
    for decoded in (
        read_1(request_1(*(series_1(labels, *samples) for labels, samples in sent))),
        read_2(request_2(*(series_2(labels, *samples) for labels, samples in sent))),
    ):
        assert [value for _, _, value, _ in rows(decoded)] == [1.0, 2.0]
        assert refusals(decoded) == [
            ("series 1", Reason.NAME, 1),
            ("series 2", Reason.TIME, 1),
            ("series 2", Reason.TIME, 1),
        ]
        assert decoded.sent == {"samples": 2, "histograms": 0}


def test_exemplars_are_left_out_of_version_1_and_refused_in_version_2() -> None:
    first = read_1(request_1(series_1(named("up"), sample(), exemplars=2)))
    second = read_2(request_2(series_2(named("up"), sample(), exemplars=2)))
    assert rows(first) == rows(second)
    assert refusals(first) == []
    assert refusals(second) == [("series 1", Reason.UNSUPPORTED, 2)]


def test_a_series_without_points_is_nothing_to_refuse() -> None:
    for decoded in both(named("")):
        assert refusals(decoded) == []
        assert rows(decoded) == []


@pytest.mark.parametrize("references", [[0, 1, 2], [1, 99], [0, (1 << 32) - 1]])
def test_references_that_are_odd_or_out_of_range_refuse_their_series(references: list[int]) -> None:
    written = text(1, b"".join(map(varint, references))) + text(2, sample())
    decoded = read_2(request_2(series_2(named("up"), sample(2.0)), lambda _: written))
    assert [value for _, _, value, _ in rows(decoded)] == [2.0]
    assert refusals(decoded) == [("series 2", Reason.SYNTAX, 1)]


def test_the_first_symbol_is_empty() -> None:
    with pytest.raises(MalformedBody, match="first symbol"):
        read_2(text(4, b"up"))


@pytest.mark.parametrize("read", [read_1, read_2])
@pytest.mark.parametrize("body", [b"{", b"\x0a\xff", b"\x2a\x05", b"\x0b", b"\x0a\x02\x12\x05"])
def test_what_is_not_a_message_is_malformed(read: object, body: bytes) -> None:
    assert callable(read)
    if read is read_2:
        body = body.replace(b"\x0a", b"\x2a", 1)
    with pytest.raises(MalformedBody):
        read(body)


def test_metadata_becomes_descriptions() -> None:
    sent = [metadata_1(3, "rpc_seconds", "Time.\nPer call.", "seconds"), metadata_1(0, "x")]
    sent += [metadata_1(1, "a b"), metadata_1(99, "odd", "?"), metadata_1(2, "")]
    expected = (
        MetricDescription("rpc_seconds", MetricType.HISTOGRAM, "seconds", "Time. Per call."),
        MetricDescription("a_b", MetricType.COUNTER),
        MetricDescription("odd", MetricType.UNKNOWN, "", "?"),
    )
    body = request_1(metadata=sent)
    assert read_1(body).descriptions == expected
    scanned = Scanner(10).scan(body + request_1(series_1(named("up"), sample())), TERMS)
    assert scanned is not None
    assert scanned.descriptions == expected


@pytest.mark.parametrize(
    ("kind", "name", "described"),
    [
        (1, "rpc_count", "rpc_count"),
        (3, "rpc_bucket", "rpc"),
        (3, "rpc_sum", "rpc"),
        (4, "rpc_gcount", "rpc"),
        (5, "rpc_count", "rpc"),
        (5, "rpc", "rpc"),
        (5, "_sum", "_sum"),
    ],
)
def test_in_version_2_a_description_is_of_the_metric(kind: int, name: str, described: str) -> None:
    body = request_2(series_2(named(name), sample(), metadata=(kind, "Calls.", "s")))
    [found] = read_2(body).descriptions
    assert (found.name, found.help, found.unit) == (described, "Calls.", "s")


def test_a_description_never_costs_points() -> None:
    odd = text(5, integer(1, 1) + integer(3, 99))
    body = request_2(lambda symbols: series_2(named("up"), sample())(symbols) + odd)
    decoded = read_2(body)
    assert len(decoded.points) == 1
    assert decoded.descriptions == ()


def test_more_points_than_the_limit_are_too_many() -> None:
    many = [sample()] * (MAX_POINTS + 1)
    for body, read in (
        (request_1(series_1(named("up"), *many)), read_1),
        (request_2(series_2(named("up"), *many)), read_2),
        (request_1(*[series_1(named("up"), sample())] * (MAX_POINTS + 1)), read_1),
    ):
        with pytest.raises(BodyTooLarge):
            read(body)
    assert Scanner(MAX_POINTS).scan(request_1(series_1(named("up"), *many)), TERMS) is None


@pytest.mark.parametrize(
    ("read", "part"), [(read_1, text(1, b"")), (read_2, text(5, b"")), (read_2, text(4, b""))]
)
def test_a_large_body_has_a_limited_number_of_parts(read: object, part: bytes) -> None:
    assert callable(read)
    limit = (2 if read is read_1 else 1 + SYMBOLS_PER_POINT) * MAX_POINTS
    padding = text(15, bytes(wire.PIECE - 10)) * 2
    read(padding + part * (limit - 2))
    with pytest.raises(BodyTooLarge):
        read(padding + part * (limit - 1))


@pytest.mark.parametrize("read", [read_1, read_2])
def test_a_part_of_a_large_body_has_a_limited_size(read: object) -> None:
    assert callable(read)
    with pytest.raises(BodyTooLarge):
        read(text(1 if read is read_1 else 5, text(1, bytes(wire.PIECE))))
