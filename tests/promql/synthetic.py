"""Series that fit expressions: for each selector some, with the labels that are asked for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import promql_parser
from promql_parser import Expr

from adapters.promql.matchers import selector_matchers
from application.reading.series import NAME, Matcher, MatchOperator
from tests.promql.samples import SampleSeries, counter, gauge

PER_SELECTOR = 4
BOUNDS = ("0.005", "0.05", "0.1", "0.5", "1", "5", "+Inf")
COUNTERS = ("_total", "_count", "_sum", "_bucket")


def fitting_series(expressions: Iterable[str]) -> Sequence[SampleSeries]:
    """Return series for the selectors of all expressions that can be parsed."""
    wanted: dict[tuple[tuple[str, str], ...], bool] = {}
    for expression in expressions:
        try:
            tree = promql_parser.parse(expression)
        except ValueError:
            continue
        grouped = sorted(set(_grouping_labels(tree)))
        for selector in _selectors(tree):
            for labels in _labels(selector_matchers(selector), grouped):
                wanted[tuple(sorted(labels.items()))] = True
    return [_series(dict(labels), number) for number, labels in enumerate(sorted(wanted))]


def _series(labels: dict[str, str], number: int) -> SampleSeries:
    name = labels[NAME]
    if name.endswith("_bucket"):
        # Buckets of a histogram share their times, and counts grow with the bound.
        alike = sum(map(ord, "".join(f"{k}{v}" for k, v in labels.items() if k != "le")))
        return counter(labels, 5 * alike, 1 + BOUNDS.index(labels["le"]))
    return counter(labels, number) if name.endswith(COUNTERS) else gauge(labels, number)


def _selectors(tree: Expr) -> Iterator[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def enter(node: Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(tree, enter)
    yield from found


def _grouping_labels(tree: Expr) -> Iterator[str]:
    found: list[str] = []

    def enter(node: Expr) -> None:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            found.extend(node.modifier.labels)
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier:
            if node.modifier.matching:
                found.extend(node.modifier.matching.labels)
            found.extend(node.modifier.group_labels or ())
        if isinstance(node, promql_parser.Call) and node.func.name == "label_replace":
            found.append(node.args[3].val)
        if isinstance(node, promql_parser.Call) and node.func.name == "label_join":
            found.extend(one.val for one in node.args[3:])

    promql_parser.walk(tree, enter)
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
