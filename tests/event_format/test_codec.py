"""The codec of the metric log's entries."""

from __future__ import annotations

from adapters.event_format.codec import MetricEventCodec
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from tests.contracts.metric_log import exactly, published

FIELDS = {
    b"topic": b"metrics.published.v1",
    b"organization": b"gilt",
    b"team": b"",
    b"x": b"\0\xff",
}
RECEIPT = Receipt(3, 1795483306612, 7)


def test_an_entrys_digest_is_what_it_always_was() -> None:
    """Checkpoints of projections that exist have digests: this one was made by release 0.1.0."""
    digest = MetricEventCodec().digest(Entry(RECEIPT, FIELDS))
    assert digest.hex() == "5b9c6874a038503979a22635110d4a4183823db8f8a256cb1d0fa36162e087db"


def test_digests_differ_by_id_by_any_field_and_by_where_one_ends() -> None:
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


def test_what_is_encoded_is_decoded_as_it_was_and_tells_whose_it_is() -> None:
    codec = MetricEventCodec()
    event = published(team="web", points=[("a", 7, -0.0, {"host": "é" * 900}), ("b", 8, 1.5, {})])
    fields = codec.encode(event)
    assert exactly(codec.decode(fields)) == exactly(event)
    assert codec.organization(fields) == "gilt"
    assert codec.organization({b"topic": b"from.elsewhere"}) is None
    assert codec.organization({b"organization": b"\xff"}) == "\ufffd"
