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
    ones: list[tuple[str, frozenset[str]]] = []
    for expression in expressions:
        try:
            tree = promql_parser.parse(expression)
        except ValueError:
            continue
        sides = list(_one_sides(tree))
        ones.extend((name, compared) for name, compared, _ in sides)
        included = {name: labels for name, _, labels in sides}
        grouped = sorted(set(_grouping_labels(tree)))
        for selector in selectors_in(tree):
            names = [*grouped, *included.get(selector.name or "", ())]
            for labels in _labels(selector_matchers(selector), names):
                wanted[tuple(sorted(labels.items()))] = True
    chosen = _without_duplicates([dict(labels) for labels in sorted(wanted)], ones)
    return [_series(labels, number) for number, labels in enumerate(chosen)]


def _one_sides(tree: Expr) -> Iterator[tuple[str, frozenset[str], Sequence[str]]]:
    """Yield the metrics that must have one series per match, the labels compared by `on`, and
    those taken from them.
    """
    found: list[tuple[str, frozenset[str], Sequence[str]]] = []

    def enter(node: Expr) -> None:
        if not isinstance(node, promql_parser.BinaryExpr) or not node.modifier:
            return
        modifier = node.modifier
        if modifier.card == promql_parser.VectorMatchCardinality.ManyToOne and modifier.matching:
            one = node.rhs
            while isinstance(one, promql_parser.ParenExpr):
                one = one.expr
            if isinstance(one, promql_parser.VectorSelector) and one.name:
                compared = frozenset(modifier.matching.labels)
                found.append((one.name, compared, modifier.group_labels or ()))

    promql_parser.walk(tree, enter)
    yield from found


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


def selectors_in(tree: Expr) -> Iterator[promql_parser.VectorSelector]:
    """Yield the instant selectors of an expression, also those of ranges."""
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
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier and node.modifier.matching:
            found.extend(node.modifier.matching.labels)
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
