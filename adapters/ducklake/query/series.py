"""Labelled series of the projection `points`, for PromQL."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from adapters.ducklake.query import queries
from adapters.ducklake.query.column_cache import ColumnCache
from adapters.ducklake.query.deadline import Deadline
from adapters.ducklake.query.parquet_files import ParquetFile
from adapters.ducklake.query.readers import Readers, Reading
from adapters.ducklake.query.series_index import Mask, Numbers, SeriesIndex
from adapters.ducklake.store.nan_bits import without_nan_bits
from application.projections.folds import POINTS
from application.reading.ports import Selection
from application.reading.query_budget import QueryBudget
from application.reading.series import Matcher, Owner, Series

MAX_SERIES = 2_000_000
"""Series that are indexed, of all owners; about 1 kB each. Past it, all are forgotten."""

T = TypeVar("T")


class _OwnersSeries(Struct):
    """What is known of an owner: the index, and the numbers of each file's series by path."""

    index: SeriesIndex
    files: dict[str, Numbers]
    lock: threading.Lock


class DuckLakeSeries:
    """Implements the port SeriesSource over the readers and the cache of a read model."""

    def __init__(self, readers: Readers, cache: ColumnCache, seconds: float) -> None:
        self._readers = readers
        self._cache = cache
        self._seconds = seconds
        self._lock = threading.Lock()
        self._owners: OrderedDict[Owner, _OwnersSeries] = OrderedDict()

    def select(
        self,
        owner: Owner,
        matchers: Sequence[Matcher],
        start: int,
        end: int,
        budget: QueryBudget,
    ) -> Sequence[Series]:
        with self._reading(owner, start, end) as (reading, files, series):
            with series.lock:
                wanted = series.index.matching(matchers)
                budget.take_series(int(wanted.sum()))
                parts = [(file, series.files[file.path]) for file in files]
                names = {series.index.names[n] for n in np.flatnonzero(wanted)}
            found: list[Series] = []
            for name in sorted(names):
                selection = Selection(
                    organization=owner.organization,
                    team=owner.team,
                    metric=name,
                    start=start,
                    end=end + 1,
                )
                found += self._of_metric(reading, series, selection, parts, wanted, budget)
        return found

    def labels(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[Mapping[str, str]]:
        return self._looked_up(
            owner,
            selectors,
            start,
            end,
            lambda index, within: [index.labels(int(n)) for n in np.flatnonzero(within)],
        )

    def label_names(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        return self._looked_up(
            owner, selectors, start, end, lambda index, within: sorted(index.label_names(within))
        )

    def label_values(
        self, owner: Owner, name: str, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        return self._looked_up(
            owner,
            selectors,
            start,
            end,
            lambda index, within: sorted(index.label_values(name, within)),
        )

    def _looked_up(
        self,
        owner: Owner,
        selectors: Sequence[Sequence[Matcher]],
        start: int,
        end: int,
        look: Callable[[SeriesIndex, Mask], T],
    ) -> T:
        """Look at the series of any selector that are in files which overlap the range."""
        with self._reading(owner, start, end) as (_, files, series), series.lock:
            index = series.index
            within = np.zeros(len(index), bool)
            for file in files:
                within[series.files[file.path]] = True
            chosen = [index.matching(matchers) for matchers in selectors]
            if chosen:
                within &= np.logical_or.reduce(chosen)
            return look(index, within)

    @contextmanager
    def _reading(
        self, owner: Owner, start: int, end: int
    ) -> Iterator[tuple[Reading, Sequence[ParquetFile], _OwnersSeries]]:
        """Open the live points, and index the series of the files that overlap the range."""
        deadline = Deadline(self._seconds)
        with self._readers.reading(POINTS.name, None, deadline) as reading:
            files = [f for f in reading.files() if f.last >= start and f.first <= end]
            series = self._series_of(owner)
            with series.lock, deadline.explained():
                self._index(reading, owner, series, files)
            yield reading, files, series

    def _series_of(self, owner: Owner) -> _OwnersSeries:
        with self._lock:
            series = self._owners.get(owner)
            if series is None:
                if sum(len(each.index) for each in self._owners.values()) > MAX_SERIES:
                    self._owners.clear()
                series = _OwnersSeries(SeriesIndex(), {}, threading.Lock())
                self._owners[owner] = series
            return series

    def _index(
        self, reading: Reading, owner: Owner, series: _OwnersSeries, files: Sequence[ParquetFile]
    ) -> None:
        """Add the series of files that are not indexed yet; forget files that are gone."""
        missing = [file.path for file in files if file.path not in series.files]
        if not missing:
            return
        known = {file.path for file in reading.files()}
        for path in [path for path in series.files if path not in known]:
            del series.files[path]
        query = queries.series(missing, owner.organization, owner.team)
        of_file: dict[str, list[tuple[str, str]]] = {path: [] for path in missing}
        rows: list[Any] = reading.connection.execute(*query).fetchall()
        for path, name, tags in rows:
            of_file[path].append((name, without_nan_bits(tags)[0]))
        for path, found in of_file.items():
            series.files[path] = series.index.numbers(found)

    def _of_metric(
        self,
        reading: Reading,
        series: _OwnersSeries,
        selection: Selection,
        parts: Sequence[tuple[ParquetFile, Numbers]],
        wanted: Mask,
        budget: QueryBudget,
    ) -> list[Series]:
        files = [file for file, numbers in parts if wanted[numbers].any()]
        columns = self._cache.columns(reading, selection, files)
        rows: list[tuple[Numbers, npt.NDArray[np.int64], npt.NDArray[np.float64]]] = []
        for each in columns:
            with series.lock:
                numbers = series.index.numbers((selection.metric, t) for t in each.tag_texts())
            chosen = each.rows(selection.start, selection.end)
            of_row = numbers[each.series[chosen]]
            kept = np.zeros(int(of_row.max(initial=0)) + 1, bool)
            size = min(len(kept), len(wanted))
            kept[:size] = wanted[:size]
            (place,) = kept[of_row].nonzero()
            if len(place):
                times = each.first + each.offsets[chosen][place].astype(np.int64)
                rows.append((of_row[place], times, each.values[chosen][place]))
        if not rows:
            return []
        of_row, times, values = (np.concatenate(column) for column in zip(*rows, strict=True))
        budget.take_samples(len(times))
        return _split(series.index, of_row, times, values)


def _split(
    index: SeriesIndex,
    of_row: Numbers,
    times: npt.NDArray[np.int64],
    values: npt.NDArray[np.float64],
) -> list[Series]:
    """Return the rows by series, each by time; of rows at one time the last one counts."""
    order = np.lexsort((times, of_row))
    of_row, times, values = of_row[order], times[order], values[order]
    last = np.ones(len(times), bool)
    last[:-1] = (of_row[1:] != of_row[:-1]) | (times[1:] != times[:-1])
    of_row, times, values = of_row[last], times[last], values[last]
    starts = np.flatnonzero(np.r_[True, of_row[1:] != of_row[:-1]])
    ends = np.r_[starts[1:], len(of_row)]
    return [
        Series(index.labels(int(of_row[start])), times.data[start:end], values.data[start:end])
        for start, end in zip(starts, ends, strict=True)
    ]
