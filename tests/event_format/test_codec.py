"""The codec of the metric log's entries."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_format.codec import MetricEventCodec
from application.event_log.ports import Entry, Outline, UnreadableEvent
from application.event_log.receipts import Receipt
from domain.events import MetricsDescribed, MetricsPublished
from domain.metric_description import MetricDescription
from domain.values import all_finite, from_bits
from tests.contracts.metric_log import DESCRIPTIONS, described, exactly, published
from tests.event_format.support import earlier_fields

FIELDS = {
    b"topic": b"metrics.published.v1",
    b"organization": b"gilt",
    b"team": b"",
    b"x": b"\0\xff",
}
RECEIPT = Receipt(3, 1795483306612, 7)


def test_an_entrys_digest_never_changes() -> None:
    """Existing projections have digests in their checkpoints. Release 0.1.0 made this one."""
    digest = MetricEventCodec().digest(Entry(RECEIPT, FIELDS))
    assert digest.hex() == "5b9c6874a038503979a22635110d4a4183823db8f8a256cb1d0fa36162e087db"


def test_digests_differ_by_id_any_field_and_the_ends_of_fields() -> None:
    codec = MetricEventCodec()
    entries = [
        Entry(RECEIPT, FIELDS),
        Entry(Receipt(3, 1795483306612, 8), FIELDS),
        Entry(RECEIPT, {**FIELDS, b"y": b""}),
        Entry(RECEIPT, {**FIELDS, b"team": b"w"}),
        Entry(RECEIPT, dict(reversed(FIELDS.items()))),
        Entry(RECEIPT, {b"a": b"bc"}),
        Entry(RECEIPT, {b"ab": b"c"}),
    ]
    assert len({codec.digest(entry) for entry in entries}) == len(entries)


def test_an_encoded_event_is_decoded_unchanged_and_its_organization_is_found() -> None:
    codec = MetricEventCodec()
    event = published(team="web", points=[("a", 7, -0.0, {"host": "é" * 900}), ("b", 8, 1.5, {})])
    fields = codec.encode(event)
    assert exactly(codec.decode(fields)) == exactly(event)
    assert codec.organization(fields) == "gilt"
    assert codec.organization({b"topic": b"from.elsewhere"}) is None
    assert codec.organization({b"organization": b"\xff"}) == "\ufffd"


@given(st.lists(st.floats() | st.integers(0, 2**64 - 1).map(from_bits), min_size=1, max_size=5))
def test_events_of_earlier_versions_are_read_like_those_of_the_current_one(
    values: list[float],
) -> None:
    codec = MetricEventCodec()
    event = published(points=[("a", 7, value, {}) for value in values])
    fields = codec.encode(event)
    assert fields[b"topic"] == b"p.v3"
    assert exactly(codec.decode(fields)) == exactly(event)
    assert exactly(codec.decode(earlier_fields(event, 2))) == exactly(event)
    first = earlier_fields(event, 1)
    if all_finite(values):
        decoded = codec.decode(first)
        assert isinstance(decoded, MetricsPublished)
        assert decoded.points == event.points
        assert decoded.points.known_finite
    else:
        with pytest.raises(UnreadableEvent, match="not finite"):
            codec.decode(first)


@pytest.mark.parametrize(
    "descriptions",
    [DESCRIPTIONS, DESCRIPTIONS[:1], tuple(MetricDescription(f"m{n}") for n in range(999))],
    ids=["long", "short", "many"],
)
def test_descriptions_are_decoded_unchanged(descriptions: tuple[MetricDescription, ...]) -> None:
    codec = MetricEventCodec()
    event = described(team="web", descriptions=descriptions)
    fields = codec.encode(event)
    assert fields[b"topic"] == b"metrics.described.v1"
    assert codec.decode(fields) == event
    assert codec.organization(fields) == "gilt"
    assert codec.outline(fields) == Outline(MetricsDescribed, len(descriptions))


def test_the_outline_of_an_entry_needs_neither_its_payload_nor_a_known_version() -> None:
    outline = MetricEventCodec().outline
    for topic in (b"metrics.published.v1", b"metrics.published.v7", b"p.v3", b"p.v4"):
        fields = {b"topic": topic, b"count": b"12"}
        assert outline(fields) == Outline(MetricsPublished, 12)
    for topic in (b"metrics.erased.v1", b"metrics.published", b"", b".v1", b"\xff"):
        assert outline({b"topic": topic}) == Outline(None, 1)
    assert outline({}) == Outline(None, 1)
    for count in (b"", b"0", b"-1", b"x", b"9" * 5000, b"\xb2"):
        assert outline({**fields, b"count": count}) == Outline(MetricsPublished, 1)


_DESCRIBED = MetricEventCodec().encode(described(descriptions=DESCRIPTIONS[:1]))


@given(
    st.dictionaries(st.sampled_from(list(_DESCRIBED)), st.binary(max_size=40), min_size=1),
    st.sets(st.sampled_from(list(_DESCRIBED))),
)
def test_invalid_fields_of_descriptions_raise_only_unreadable_event(
    changed: dict[bytes, bytes], missing: set[bytes]
) -> None:
    fields = {k: v for k, v in {**_DESCRIBED, **changed}.items() if k not in missing}
    codec = MetricEventCodec()
    try:
        event = codec.decode(fields)
    except UnreadableEvent:
        return
    assert exactly(codec.decode(codec.encode(event))) == exactly(event)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [["a", "counter", "", "", ""]] * 2,
        [["9a", "counter", "", "", ""]],
        [["a", "count", "", "", ""]],
        [["a", "counter", "", "", "both"]],
        [["a", "counter", "\n", "", ""]],
        [["a", "counter", "", "x" * 1025, ""]],
        [["a", "counter", "", ""]],
        [["a", "counter", "", 7, ""]],
        7,
    ],
)
def test_descriptions_that_break_a_rule_are_unreadable(rows: object) -> None:
    fields = {**_DESCRIBED, b"encoding": b"", b"payload": msgspec.msgpack.encode(rows)}
    with pytest.raises(UnreadableEvent):
        MetricEventCodec().decode(fields)


_KNOWN = MetricEventCodec().encode(published())
_EARLIER = earlier_fields(published())


@pytest.mark.parametrize("known", [_KNOWN, _EARLIER], ids=["current", "earlier"])
@given(
    st.dictionaries(st.sampled_from(list(_KNOWN)), st.binary(max_size=40), min_size=1),
    st.sets(st.sampled_from(list(_KNOWN))),
)
def test_invalid_fields_raise_only_unreadable_event(
    known: dict[bytes, bytes], changed: dict[bytes, bytes], missing: set[bytes]
) -> None:
    fields = {k: v for k, v in {**known, **changed}.items() if k not in missing}
    codec = MetricEventCodec()
    try:
        event = codec.decode(fields)
    except UnreadableEvent:
        return
    assert exactly(codec.decode(codec.encode(event))) == exactly(event)


@pytest.mark.parametrize("known", [_KNOWN, _EARLIER], ids=["current", "earlier"])
def test_a_payload_nested_too_deeply_is_unreadable(known: dict[bytes, bytes]) -> None:
    nested = b"\x91" * 100_000 + b"\x00"
    columns = msgspec.msgpack.decode(known[b"payload"])
    columns[1] = [msgspec.Raw(nested)]
    payload = msgspec.msgpack.encode(columns)
    with pytest.raises(UnreadableEvent):
        MetricEventCodec().decode({**known, b"encoding": b"", b"payload": payload})
