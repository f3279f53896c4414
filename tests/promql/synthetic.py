"""Series that fit expressions: for each selector some, with the labels that are asked for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from adapters.promql.syntax import ParseError, parse
from adapters.promql.syntax.tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    StringLiteral,
    VectorSelector,
    children,
    unwrapped,
)
from application.reading.series import NAME, Matcher, MatchOperator
from tests.promql.samples import SampleSeries, counter, gauge

PER_SELECTOR = 4
BOUNDS = ("0.005", "0.05", "0.1", "0.5", "1", "5", "+Inf")
COUNTERS = ("_total", "_count", "_sum", "_bucket")


def fitting_series(expressions: Iterable[str]) -> Sequence[SampleSeries]:
    """Return series for the selectors of all expressions that can be parsed."""
    return [_series(labels, number) for number, labels in enumerate(fitting_labels(expressions))]


def fitting_labels(expressions: Iterable[str]) -> Sequence[dict[str, str]]:
    """Return the labels of such series."""
    wanted: dict[tuple[tuple[str, str], ...], bool] = {}
    ones: list[tuple[str, frozenset[str]]] = []
    for expression in expressions:
        try:
            tree = parse(expression)
        except ParseError:
            continue
        sides = list(_one_sides(tree))
        ones.extend((name, compared) for name, compared, _ in sides)
        included = {name: labels for name, _, labels in sides}
        grouped = sorted(set(_grouping_labels(tree)))
        for selector in selectors_in(tree):
            names = [*grouped, *included.get(selector.name or "", ())]
            for labels in _labels(selector.matchers, names):
                wanted[tuple(sorted(labels.items()))] = True
    return _without_duplicates([dict(labels) for labels in sorted(wanted)], ones)


def _one_sides(tree: Expression) -> Iterator[tuple[str, frozenset[str], Sequence[str]]]:
    """Yield the metrics that must have one series per match, the labels compared by `on`, and
    those taken from them.
    """
    for node in _nodes(tree):
        if isinstance(node, Binary) and node.many == "left":
            one = unwrapped(node.right)
            if isinstance(one, VectorSelector) and one.name:
                yield one.name, frozenset(node.labels), node.included


def _without_duplicates(
    series: Sequence[dict[str, str]], ones: Sequence[tuple[str, frozenset[str]]]
) -> Sequence[dict[str, str]]:
    """Leave out series that would match the same as others where only one may."""
    seen: set[object] = set()
    chosen = []
    for labels in series:
        keys = {
            (name, names, tuple(labels.get(one, "") for one in sorted(names)))
            for name, names in ones
            if name == labels[NAME]
        }
        if not keys & seen:
            seen |= keys
            chosen.append(labels)
    return chosen


def _series(labels: dict[str, str], number: int) -> SampleSeries:
    name = labels[NAME]
    if name.endswith("_bucket"):
        # Buckets of a histogram share their times, and counts grow with the bound.
        alike = sum(map(ord, "".join(f"{k}{v}" for k, v in labels.items() if k != "le")))
        return counter(labels, 5 * alike, 1 + BOUNDS.index(labels["le"]))
    return counter(labels, number) if name.endswith(COUNTERS) else gauge(labels, number)


def _nodes(tree: Expression) -> Iterator[Expression]:
    yield tree
    for child in children(tree):
        yield from _nodes(child)


def selectors_in(tree: Expression) -> Iterator[VectorSelector]:
    yield from (node for node in _nodes(tree) if isinstance(node, VectorSelector))


def _grouping_labels(tree: Expression) -> Iterator[str]:
    found: list[str] = []
    for node in _nodes(tree):
        if isinstance(node, Aggregation | Binary):
            found.extend(node.labels)
        if isinstance(node, Call) and node.name in ("label_replace", "label_join"):
            sources = node.arguments[3 : 4 if node.name == "label_replace" else None]
            found.extend(one.value for one in sources if isinstance(one, StringLiteral))
    yield from (one for one in found if re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", one))


def _labels(matchers: Sequence[Matcher], grouped: Sequence[str]) -> Iterator[dict[str, str]]:
    by_name: defaultdict[str, list[Matcher]] = defaultdict(list)
    for one in matchers:
        by_name[one.name].append(one)
    for turn in range(PER_SELECTOR):
        labels = {}
        for place, name in enumerate(sorted({*by_name, *grouped})):
            candidates = [
                value
                for value in _candidates(by_name[name])
                if all(one.accepts(value) for one in by_name[name])
            ]
            if candidates:
                labels[name] = candidates[(turn >> place % 2) % len(candidates)]
        if any(not one.accepts(labels.get(one.name, "")) for one in matchers):
            continue
        if re.fullmatch("[a-zA-Z_:][a-zA-Z0-9_:]*", labels.get(NAME, "")) is None:
            continue
        labels = {name: value for name, value in labels.items() if value}
        if labels[NAME].endswith("_bucket"):
            yield from ({**labels, "le": bound} for bound in BOUNDS)
        else:
            yield labels


def _candidates(matchers: Sequence[Matcher]) -> Iterator[str]:
    """Yield values of a label that may satisfy the matchers."""
    for one in matchers:
        if one.operator is MatchOperator.EQUAL:
            yield one.value
        if one.operator is MatchOperator.MATCHES:
            simple = re.sub(r"\(\?:|[()^$]", "", one.value)
            for text in simple.split("|"):
                text = re.sub(r"\[[^\]]*\]", "a", text)
                yield re.sub(r"\\(.)", r"\1", re.sub(r"\.[*+]\??", "x", text)).replace("+", "")
    yield from ("v1", "v2", "1", "a", "sda", "b/c")
