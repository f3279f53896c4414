"""Importing points: keys, counts, and where an import stops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from msgspec import Struct

from application.publishing.import_points import (
    BatchNotStored,
    BatchRefused,
    Imported,
    ImportPoints,
    ImportStopped,
    ItemBatch,
    UnreadablePoints,
)

ITEMS = (b'{"name":"a"}', b'{"name":"b"}', b'{"name":"c"}')


class Source(Struct):
    """Items at lines 1, 2, …, followed by a fault if there is one."""

    path: str | None
    items: Sequence[bytes] = ITEMS
    fault: str | None = None
    total: int | None = None
    unit: str = "line"

    def batches(self, size: int) -> Iterator[ItemBatch]:
        for begin in range(0, len(self.items), size):
            items = list(self.items[begin : begin + size])
            yield ItemBatch([begin + i + 1 for i in range(len(items))], items)
        if self.fault is not None:
            raise UnreadablePoints(self.fault)


class Service:
    """Remembers what it stored by its key; raises `refusal` for a body with `bad`."""

    def __init__(self, bad: bytes = b"?", refusal: Exception | None = None) -> None:
        self.stored: dict[str, bytes] = {}
        self.with_any_value: list[bytes] = []
        self._bad = bad
        self._refusal = refusal

    def publish(self, body: bytes, key: str, *, any_value: bool = False) -> bool:
        if self._refusal is not None and self._bad in body:
            raise self._refusal
        if any_value:
            self.with_any_value.append(body)
        before = key in self.stored
        assert self.stored.setdefault(key, body) == body
        return before


def imported(
    service: Service, *sources: Source, to: str = "/gilt", size: int = 2
) -> list[Imported]:
    """Import all sources in one import."""
    import_points = ImportPoints(service, to, size)
    return [import_points(source, lambda *_: None) for source in sources]


FILES = (Source("/ha/m.jsonl"), Source("/hb/m.jsonl"))
STREAMS = (Source(None), Source(None))


@pytest.mark.parametrize("sources", [FILES, STREAMS, FILES + STREAMS])
def test_sources_with_equal_contents_are_all_stored_and_repeating_the_import_stores_nothing(
    sources: tuple[Source, ...],
) -> None:
    service = Service()
    assert imported(service, *sources) == [Imported(3, 2, 0)] * len(sources)
    assert len(service.stored) == 2 * len(sources)
    assert imported(service, *sources) == [Imported(3, 2, 2)] * len(sources)
    assert len(service.stored) == 2 * len(sources)


def test_the_same_file_twice_is_stored_once() -> None:
    service = Service()
    assert imported(service, FILES[0], FILES[0]) == [Imported(3, 2, 0), Imported(3, 2, 2)]


@pytest.mark.parametrize(
    ("source", "to", "size"),
    [
        (Source("/ha/m.jsonl"), "/other", 2),
        (Source("/ha/m.jsonl"), "/gilt", 3),
        (Source("/ha/other.jsonl"), "/gilt", 2),
        (Source(None), "/gilt", 2),
        (Source("/ha/m.jsonl", [b"{}", *ITEMS[1:]]), "/gilt", 2),
    ],
)
def test_another_import_has_other_keys(source: Source, to: str, size: int) -> None:
    service = Service()
    imported(service, Source("/ha/m.jsonl"))
    [again] = imported(service, source, to=to, size=size)
    assert again.stored_before == 0


def test_batches_before_a_corrected_line_keep_their_keys() -> None:
    service = Service(b"bad", BatchRefused([(0, "name must match")]))
    with pytest.raises(ImportStopped, match="line 3: name must match") as stopped:
        imported(service, Source("/m", [*ITEMS[:2], b"bad"]))
    assert stopped.value.points == 2
    assert imported(service, Source("/m", ITEMS)) == [Imported(3, 2, 1)]


@pytest.mark.parametrize(
    ("refusal", "unit", "reason"),
    [
        (BatchRefused([(1, "no")]), "row", "row 2: no"),
        (BatchRefused([(None, "no"), (1, "x")]), "line", "no, and 1 other fault in this batch"),
        (BatchRefused([(0, "no")] * 3), "line", "line 1: no, and 2 other faults in this batch"),
        (BatchNotStored("503 full"), "line", "503 full"),
    ],
)
def test_a_refused_batch_stops_it_and_reports_the_place(
    refusal: Exception, unit: str, reason: str
) -> None:
    with pytest.raises(ImportStopped) as stopped:
        imported(Service(b"a", refusal), Source("/m", unit=unit))
    assert (str(stopped.value), stopped.value.points) == (reason, 0)


def test_an_unreadable_source_stops_it_after_the_batches_before_the_fault() -> None:
    service = Service()
    with pytest.raises(ImportStopped, match="line 4 is bad") as stopped:
        imported(service, Source("/m", fault="line 4 is bad"))
    assert (stopped.value.points, len(service.stored)) == (3, 2)


@pytest.mark.parametrize(
    ("total", "steps"),
    [
        (None, [(2, None, 2), (3, None, 3)]),
        (9, [(2, 9, 2), (3, 9, 3)]),
        (1, [(2, 2, 2), (3, 3, 3)]),
    ],
)
def test_progress_is_reported_per_batch(
    total: int | None, steps: list[tuple[int, int | None, int]]
) -> None:
    """A file may grow while it is read; still, no more than the total is reported as done."""
    reported: list[tuple[int, int | None, int]] = []
    ImportPoints(Service(), "/gilt", 2)(
        Source("/m", total=total), lambda *progress: reported.append(progress)
    )
    assert reported == steps


class Mixed(Source):
    """Its second batch has values that are not finite."""

    def batches(self, size: int) -> Iterator[ItemBatch]:
        for number, batch in enumerate(super().batches(size)):
            yield ItemBatch(batch.places, batch.items, any_value=number == 1)


def test_only_batches_that_need_it_are_published_with_any_value() -> None:
    service = Service()
    assert imported(service, Mixed("/m"), size=1) == [Imported(3, 3, 0)]
    assert [body.count(ITEMS[1]) for body in service.with_any_value] == [1]
