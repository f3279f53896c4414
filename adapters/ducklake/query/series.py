"""Labelled series of the projection `points`, for PromQL."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from weakref import WeakKeyDictionary

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Struct

from adapters.ducklake.freed_memory import give_back
from adapters.ducklake.query import queries
from adapters.ducklake.query.column_cache import ColumnCache, read_series
from adapters.ducklake.query.deadline import Deadline
from adapters.ducklake.query.parquet_files import ParquetFile
from adapters.ducklake.query.readers import Readers, Reading
from adapters.ducklake.query.sample_arrays import Part, Places, SampleArrays, joined
from adapters.ducklake.query.series_columns import SeriesColumns
from adapters.ducklake.query.series_index import Mask, Numbers, SeriesIndex
from application.projections.folds import POINTS
from application.reading.ports import Selection
from application.reading.query_budget import QueryBudget
from application.reading.series import (
    NAME,
    Matcher,
    MatchOperator,
    Owner,
    SelectedSeries,
)

MAX_SERIES = 1_000_000
"""Series that are indexed, of all owners; about 2 kB each. Past it, all are forgotten."""

LISTED_AT_ONCE = 100_000
"""Series of files whose names and tags are held as text at once while they are listed."""

MANY_READ = 250_000
"""Points or listed series that a query reads from which on it returns its memory to the system."""

_TEXT = pa.dictionary(pa.int32(), pa.string())
_LISTED = pa.schema({"filename": _TEXT, "name": _TEXT, "tags": _TEXT})
_NONE = np.empty(0, np.int32)


class _OwnersSeries:
    """What is known of an owner: an index per metric, and the numbers of series by file.

    `size` is the number of series. `files` has those of every metric of a file, by the file's path
    and the metric's name. `large` has those of metrics with too many points to be cached, by path
    and name. `columns` has those of cached columns, for as long as they are cached.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.size = 0
        self.metrics: dict[str, SeriesIndex] = {}
        self.files: dict[str, dict[str, Numbers]] = {}
        self.large: dict[tuple[str, str], Numbers] = {}
        self.columns: WeakKeyDictionary[SeriesColumns, Numbers] = WeakKeyDictionary()

    def numbered(self, name: str, texts: Sequence[str]) -> Numbers:
        """Return the numbers of a metric's series, given their tags as text; new ones are added."""
        if not texts:
            return _NONE
        index = self.metrics.get(name)
        if index is None:
            index = self.metrics[name] = SeriesIndex(name)
        before = len(index)
        numbers = index.numbers(texts)
        self.size += len(index) - before
        return numbers

    def may_have(self, path: str, name: str) -> bool:
        """Return whether a file may have points of a metric."""
        return path not in self.files or name in self.files[path]

    def numbers(self, name: str, columns: SeriesColumns) -> Numbers:
        """Return the number of each tag set of a metric's columns."""
        numbers = self.columns.get(columns)
        if numbers is None:
            numbers = self.numbered(name, columns.tag_texts())
            self.columns[columns] = numbers
        return numbers

    def forget(self, paths: set[str]) -> None:
        """Forget files that are not among these."""
        for path in self.files.keys() - paths:
            del self.files[path]
        for key in [key for key in self.large if key[0] not in paths]:
            del self.large[key]


class _Reads(Struct, frozen=True):
    """What is read of a metric: files, in log order, and a range of time (ms, both ends in it)."""

    reading: Reading
    files: Sequence[ParquetFile]
    selection: Selection
    start: int
    end: int


class _Found(Struct, frozen=True):
    """The series of a metric that were selected, and their samples."""

    labels: Sequence[Mapping[str, str]]
    samples: SampleArrays


class DuckLakeSeries:
    """Implements the port SeriesSource over the readers and the cache of a read model."""

    def __init__(self, readers: Readers, cache: ColumnCache, seconds: float) -> None:
        self._readers = readers
        self._cache = cache
        self._seconds = seconds
        self._lock = threading.Lock()
        self._owners: dict[Owner, _OwnersSeries] = {}

    def select(
        self,
        owner: Owner,
        matchers: Sequence[Matcher],
        start: int,
        end: int,
        budget: QueryBudget,
    ) -> SelectedSeries:
        with self._reading(owner, start, end) as (reading, files, series):
            names = _required_names(matchers)
            if names is None:
                names = self._names(reading, owner, series, files, matchers)
            found = []
            for name in sorted(names):
                selection = Selection(
                    organization=owner.organization,
                    team=owner.team,
                    metric=name,
                    start=start,
                    end=end + 1,
                )
                reads = _Reads(reading, files, selection, start, end)
                one = self._of_metric(reads, series, matchers, budget)
                if one is not None:
                    found.append(one)
        return _selected(found)

    def labels(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[Mapping[str, str]]:
        with self._chosen(owner, selectors, start, end) as chosen:
            return [
                index.labels(number)
                for index, within in chosen
                for number in np.flatnonzero(within).tolist()
            ]

    def label_names(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        with self._chosen(owner, selectors, start, end) as chosen:
            return sorted({name for index, within in chosen for name in index.label_names(within)})

    def label_values(
        self, owner: Owner, name: str, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Sequence[str]:
        with self._chosen(owner, selectors, start, end) as chosen:
            values: set[str] = set()
            for index, within in chosen:
                values.update(index.label_values(name, within))
        return sorted(values)

    @contextmanager
    def _chosen(
        self, owner: Owner, selectors: Sequence[Sequence[Matcher]], start: int, end: int
    ) -> Iterator[Iterator[tuple[SeriesIndex, Mask]]]:
        """Return the series of any selector, metric by metric, in the files of the range."""
        with self._reading(owner, start, end) as (reading, files, series):
            self._index(reading, owner, series, files)
            with series.lock:
                yield _matching(series, files, selectors)

    @contextmanager
    def _reading(
        self, owner: Owner, start: int, end: int
    ) -> Iterator[tuple[Reading, Sequence[ParquetFile], _OwnersSeries]]:
        """Open the live points, and find the files that overlap the range, in log order."""
        deadline = Deadline(self._seconds)
        with self._readers.reading(POINTS.name, None, deadline) as reading, deadline.explained():
            files = [f for f in reading.files() if f.last >= start and f.first <= end]
            files.sort(key=lambda file: file.first_position)
            try:
                yield reading, files, self._series_of(owner)
            finally:
                if reading.points >= MANY_READ:
                    give_back()

    def _series_of(self, owner: Owner) -> _OwnersSeries:
        with self._lock:
            if sum(each.size for each in self._owners.values()) > MAX_SERIES:
                self._owners.clear()
            return self._owners.setdefault(owner, _OwnersSeries())

    def _names(
        self,
        reading: Reading,
        owner: Owner,
        series: _OwnersSeries,
        files: Sequence[ParquetFile],
        matchers: Sequence[Matcher],
    ) -> Sequence[str]:
        """Return the names of the metrics that have series in the files, and which match."""
        self._index(reading, owner, series, files)
        with series.lock:
            chosen = _matching(series, files, [matchers])
            return [index.name for index, within in chosen if within.any()]

    def _index(
        self, reading: Reading, owner: Owner, series: _OwnersSeries, files: Sequence[ParquetFile]
    ) -> None:
        """Index all series of files that are not indexed yet; forget files that are gone."""
        with series.lock:
            missing = [file.path for file in files if file.path not in series.files]
            if not missing:
                return
            series.forget({file.path for file in reading.files()})
            query = queries.series(missing, owner.organization, owner.team)
            series.files.update({path: {} for path in missing})
            for name, path, numbers in _numbered(reading, query, series):
                series.files[path][name] = numbers

    def _of_metric(
        self,
        reads: _Reads,
        series: _OwnersSeries,
        matchers: Sequence[Matcher],
        budget: QueryBudget,
    ) -> _Found | None:
        reading, selection = reads.reading, reads.selection
        with series.lock:
            files = [f for f in reads.files if series.may_have(f.path, selection.metric)]
        cached = self._cache.series(reading, selection, files)
        listed = self._listed(reading, series, selection, [f for f in files if cached[f] is None])
        with series.lock:
            numbers = [
                listed[file] if columns is None else series.numbers(selection.metric, columns)
                for file, columns in cached.items()
            ]
            index = series.metrics.get(selection.metric)
            if index is None:
                return None
            wanted = index.matching(matchers)
        parts = []
        for (file, columns), own in zip(cached.items(), numbers, strict=True):
            (sets,) = wanted[own].nonzero()
            if columns is None and len(sets):
                budget.take_series(len(sets))
                texts = [index.texts[number] for number in own[sets].tolist()]
                columns = read_series(reading, selection, file, texts)
                with series.lock:
                    own = series.numbers(index.name, columns)
                sets = np.arange(len(own))
            if columns is not None and len(sets):
                parts.append(_part(columns, own, sets, reads.start, reads.end))
        return _joined(index, [part for part in parts if len(part.sets)], budget)

    def _listed(
        self,
        reading: Reading,
        series: _OwnersSeries,
        selection: Selection,
        files: Sequence[ParquetFile],
    ) -> dict[ParquetFile, Numbers]:
        """Return the numbers of a metric's series in files whose points are not cached."""
        if not files:
            return {}
        name = selection.metric
        with series.lock:
            for file in files:
                if name in series.files.get(file.path, {}):
                    series.large[file.path, name] = series.files[file.path][name]
            missing = [file.path for file in files if (file.path, name) not in series.large]
            if missing:
                query = queries.series(missing, selection.organization, selection.team, name)
                series.large.update({(path, name): _NONE for path in missing})
                for _, path, numbers in _numbered(reading, query, series):
                    series.large[path, name] = numbers
            return {file: series.large[file.path, name] for file in files}


def _numbered(
    reading: Reading, query: queries.Query, series: _OwnersSeries
) -> Iterator[tuple[str, str, Numbers]]:
    """Run a query of series, and yield name, path and the numbers of a metric's series in a file.

    Each text is looked up once, in however many files it is.
    """
    batches = reading.connection.execute(*query).to_arrow_reader(LISTED_AT_ONCE)
    coded = [
        pa.record_batch([batch[name].dictionary_encode() for name in _LISTED.names], _LISTED)
        for batch in batches
    ]
    table = pa.Table.from_batches(coded, _LISTED).combine_chunks().unify_dictionaries()
    reading.points += len(table)
    if not len(table):
        return
    columns = [table[name].combine_chunks() for name in _LISTED.names]
    paths, names, tags = (column.dictionary.to_pylist() for column in columns)
    of_path, of_name, of_tags = (column.indices.to_numpy() for column in columns)
    order = np.lexsort((of_path, of_name))
    of_path, of_name, of_tags = of_path[order], of_name[order], of_tags[order]
    changes = (of_path[1:] != of_path[:-1]) | (of_name[1:] != of_name[:-1])
    starts = np.concatenate(([0], np.flatnonzero(changes) + 1, [len(table)]))
    number_of = np.empty(len(tags), np.int32)
    for first, last in pairwise(
        np.flatnonzero(np.diff(of_name[starts[:-1]], prepend=-1, append=-1))
    ):
        name = names[of_name[starts[first]]]
        own = of_tags[starts[first] : starts[last]]
        used = np.unique(own)
        number_of[used] = series.numbered(name, [tags[code] for code in used.tolist()])
        for place in range(first, last):
            start, end = starts[place], starts[place + 1]
            yield name, paths[of_path[start]], number_of[of_tags[start:end]]


def _required_names(matchers: Sequence[Matcher]) -> Sequence[str] | None:
    """Return the name that series must have, if there is one; None for any."""
    for matcher in matchers:
        if matcher.name == NAME and matcher.operator is MatchOperator.EQUAL:
            return [matcher.value]
    return None


def _accept_name(matchers: Sequence[Matcher], name: str) -> bool:
    return all(matcher.accepts(name) for matcher in matchers if matcher.name == NAME)


def _matching(
    series: _OwnersSeries, files: Sequence[ParquetFile], selectors: Sequence[Sequence[Matcher]]
) -> Iterator[tuple[SeriesIndex, Mask]]:
    """Yield the index of each metric in files, and which of its series there match any selector."""
    by_name: dict[str, list[Numbers]] = {}
    for file in files:
        for name, numbers in series.files[file.path].items():
            by_name.setdefault(name, []).append(numbers)
    for name, found in by_name.items():
        chosen = [one for one in selectors if _accept_name(one, name)]
        if selectors and not chosen:
            continue
        index = series.metrics[name]
        within = np.zeros(len(index), bool)
        for numbers in found:
            within[numbers] = True
        if chosen:
            within &= np.logical_or.reduce([index.matching(one) for one in chosen])
        yield index, within


def _part(columns: SeriesColumns, numbers: Numbers, sets: Places, start: int, end: int) -> Part:
    """Return the rows of tag sets from `start` to `end`; `places` are the numbers of series."""
    begin, after = columns.rows(sets, start, end)
    some = after > begin
    if not some.all():
        sets, begin, after = sets[some], begin[some], after[some]
    return Part.of(columns, sets, numbers[sets].astype(np.int64), begin, after)


def _joined(index: SeriesIndex, parts: Sequence[Part], budget: QueryBudget) -> _Found | None:
    """Put the samples of series together, in the order of their tags' text."""
    if not parts:
        return None
    used = np.unique(np.concatenate([part.places for part in parts]))
    budget.take_series(len(used))
    budget.take_samples(sum(part.count for part in parts))
    texts = [index.texts[number] for number in used.tolist()]
    by_text = sorted(range(len(used)), key=texts.__getitem__)
    place = np.empty(int(used[-1]) + 1, np.int64)
    place[used[by_text]] = np.arange(len(used))
    placed = [msgspec.structs.replace(part, places=place[part.places]) for part in parts]
    labels = [index.labels(number) for number in used[by_text].tolist()]
    return _Found(labels, joined(placed, len(used)))


def _selected(found: Sequence[_Found]) -> SelectedSeries:
    if len(found) == 1:
        labels, samples = found[0].labels, found[0].samples
        times, values, ends = samples.times, samples.values, samples.ends
    else:
        none = np.empty(0, np.int64)
        labels = [labels for one in found for labels in one.labels]
        times = np.concatenate([none, *(one.samples.times for one in found)])
        values = np.concatenate([np.empty(0), *(one.samples.values for one in found)])
        before = np.cumsum([0, *(len(one.samples.times) for one in found)])
        shifted = [one.samples.ends + first for one, first in zip(found, before, strict=False)]
        ends = np.concatenate([none, *shifted])
    return SelectedSeries(labels, times.data, values.data, ends.data)
