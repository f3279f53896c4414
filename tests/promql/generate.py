"""Random expressions of PromQL over the series of `odd_series`, and damaged ones.

The former are well-typed, but may fail on the series, as matching does when it is not unique. Each
part is wanted `exact` or not. Functions that are not continuous, such as `floor` or a comparison,
get exact parts only: those whose values all versions compute to the bit. Ranges and offsets keep
the edges of ranges off samples and steps of subqueries, since Prometheus before 3 includes the left
edge.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.promql.odd_series import BUCKETS, COUNTERS, EXACT, LABELS, ODD

T = TypeVar("T")

EVERY_LABEL = tuple(LABELS)
SMOOTH = ("abs", "deg", "rad", "sgn")
UNSMOOTH: tuple[str, ...] = (
    "ceil",
    "floor",
    "exp",
    "sqrt",
    "ln",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
)
UNSMOOTH += ("asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
DATES: tuple[str, ...] = (
    "minute",
    "hour",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "days_in_month",
)
DATES += ("month", "year")
EXACT_OVER_TIME = ("min", "max", "count", "last", "present", "sum")
OVER_TIME = ("avg", "stddev", "stdvar")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
SETS = ("and", "or", "unless")

PIECES = (
    *("(", ")", "[", "]", "{", "}", ",", ":", "+", "-", "*", "^", "==", "=", "!=", "=~", "!", "<"),
    *("bool", "on", "ignoring", "group_left", "by", "without", "offset", "@", "start", "start()"),
    *("5m", "1", "0", "1.5e3", "0x1F", "1h30m", "NaN", '"a"', "'b'", "`c`", "x", "a:b", "foo"),
    *("sum", "topk", "rate", "abs", "and", "or", "unless", "atan2", "#", "\n", " ", "\u00e4", "$"),
    *("~", ".", "\\", '"', "'", "[5m]", "[5m:1m]", '{a="b"}', "(x)", "sum by (a) (x)", "on(a)"),
    *("group_right()", "offset 5m", "@ 5", "without (b)", "time()", '"\\x4"', '"\\u00e4\\q"'),
)
WHOLE = (
    'sum by (a) (rate(x{a="b"}[5m]))',
    "a + on(b) group_left(c) d",
    "topk(3, x) by (a)",
    "x[5m:1m] offset 5m @ 3",
    'label_replace(x, "a", "$1", "b", "(.*)")',
    "-x ^ 2 * 3 > bool 1",
)


class Expressions:
    """Makes expressions from a source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def expression(self) -> str:
        """Return an expression with a few levels."""
        if self._likely(0.05):
            return self._scalar(3)
        if self._likely(0.05):
            return self._range(2, exact=False)
        return self._vector(self._chance.randrange(1, 5), exact=False)

    def _vector(self, depth: int, *, exact: bool) -> str:
        if depth <= 0:
            return self._selector(exact=exact)
        makers: list[Callable[[int], str]] = [
            lambda depth: self._selector(exact=exact),
            lambda depth: self._elementwise(depth, exact=exact),
            lambda depth: self._over_time(depth, exact=exact),
            lambda depth: self._aggregation(depth, exact=exact),
            lambda depth: self._with_scalar(depth, exact=exact),
            lambda depth: self._between(depth, exact=exact),
            lambda depth: self._set(depth, exact=exact),
            lambda depth: self._comparison(depth),
            lambda depth: self._relabelled(depth, exact=exact),
            lambda depth: self._of_time(depth),
            lambda depth: self._sorted_or_best(depth),
        ]
        if not exact:
            makers += [self._rate, self._of_exact, self._histogram, self._regression]
        return self._pick(makers)(depth - 1)

    def damaged(self) -> str:
        """Return an expression with some mistakes, or what is none at all."""
        if self._likely(0.3):
            return " ".join(self._pick(PIECES) for _ in range(self._chance.randrange(1, 7)))
        text = self._pick(WHOLE) if self._likely(0.4) else self.expression()
        for _ in range(self._chance.randrange(1, 4)):
            place, other = (self._chance.randrange(len(text) + 1) for _ in range(2))
            piece = self._pick((self._pick(PIECES), text[min(place, other) :][:8], ""))
            removed = self._pick((place, place + self._chance.randrange(6), len(text)))
            text = text[:place] + piece + text[removed:]
        return text

    # Selectors

    def _selector(self, *, exact: bool) -> str:
        families = EXACT if exact or self._likely(0.6) else (*ODD, *COUNTERS)
        return self._matched(self._pick(families), other_names=0.05) + self._shift()

    def _matched(self, name: str, other_names: float = 0) -> str:
        matchers = [self._matcher() for _ in range(self._pick((0, 0, 0, 1, 1, 2)))]
        if self._likely(other_names):
            name = self._pick(("exact_.*", "exact_gauge|exact_other", "(?:exact|huge)_gauge"))
            return f"{{{','.join([f'__name__=~{self._quoted(name)}', *matchers])}}}"
        return f"{name}{{{','.join(matchers)}}}" if matchers else name

    def _matcher(self) -> str:
        label = self._pick(EVERY_LABEL)
        value = self._pick(LABELS[label])
        operator = self._pick(("=", "!=", "=~", "!~"))
        if "~" in operator:
            value = self._pick((value, "x|y", "[xp1].?", ".+", ".*", "", f"{value}|", "(?i)X"))
        return f"{label}{operator}{self._quoted(value)}"

    def _quoted(self, text: str) -> str:
        quote = self._pick("\"'`")
        return f"{quote}{text}{quote}"

    def _shift(self) -> str:
        parts = []
        if self._likely(0.15):
            parts.append(f"offset {self._pick(('10s', '1m', '7m', '-3m', '1h', '-1m20s'))}")
        if self._likely(0.1):
            parts.append(f"@ {self._pick(('start()', 'end()', '1700004003', '1700004013.000'))}")
        self._chance.shuffle(parts)
        return "".join(f" {part}" for part in parts)

    def _range(self, depth: int, *, exact: bool, families: Sequence[str] = ()) -> str:
        """Return a range vector."""
        if depth > 0 and not families and self._likely(0.3):
            width = self._pick(("35s", "1m5s", "5m5s", "12m15s", "1h5s"))
            step = self._pick(("10s", "30s", "1m", "2m", "", "70s"))
            inner = self._vector(depth - 1, exact=exact)
            # Before 3, what has an `@` had a value even where the range is between two steps.
            step = "10s" if "@" in inner else step
            return f"({inner})[{width}:{step}]{self._shift()}"
        families = families or (EXACT if exact else (*EXACT, *COUNTERS))
        width = self._pick(("7s", "20s", "1m", "5m", "17m", "1h", "90s"))
        return f"{self._matched(self._pick(families))}[{width}]{self._shift()}"

    # Functions

    def _elementwise(self, depth: int, *, exact: bool) -> str:
        if exact:
            name = self._pick(("abs", "ceil", "floor", "sgn", "-", "+", "round", "clamp"))
        else:
            name = self._pick((*SMOOTH, "-", "+", "clamp", "clamp_min", "clamp_max"))
        inner = self._vector(depth, exact=exact)
        if name in "+-":
            return f"{name}({inner})"
        if name == "clamp":
            bounds = self._chance.sample(("-10", "0", "3.5", "40", "Inf", "-Inf", "NaN"), 2)
            return f"clamp({inner}, {', '.join(bounds)})"
        if name.startswith("clamp_"):
            return f"{name}({inner}, {self._pick(('-3', '7.25', 'time() % 32', 'NaN', '1e300'))})"
        if name == "round" and self._likely(0.5):
            return f"round({inner}, {self._pick(('0.25', '2', '-4', '8'))})"
        return f"{name}({inner})"

    def _of_exact(self, depth: int) -> str:
        """Return a function that enlarges errors of its argument."""
        inner = self._vector(depth, exact=True)
        name = self._pick((*UNSMOOTH, *DATES, "/", "%", "^", "scalar", "atan2"))
        if name == "scalar":
            return f"({inner}) * scalar({self._vector(depth, exact=True)})"
        if name == "atan2":
            return f"(({inner}) + 0) atan2 ({self._vector(depth, exact=True)})"
        if name in ("/", "%", "^"):
            matching = self._pick(("", "", " on(a, b)", " ignoring(c)"))
            return f"({inner}) {name}{matching} ({self._vector(depth, exact=True)})"
        scale = self._pick(("", " * 86400", " * -40000", " / 64"))
        return f"{name}(({inner}){scale})"

    def _over_time(self, depth: int, *, exact: bool) -> str:
        if self._likely(0.1):
            name = self._pick(("changes", "resets", "absent_over_time", "idelta"))
            return f"{name}({self._range(depth, exact=True)})"
        names: Sequence[str] = EXACT_OVER_TIME if exact else (*EXACT_OVER_TIME, *OVER_TIME)
        inner = self._range(depth, exact=exact)
        if not exact and self._likely(0.3):
            inner = self._range(0, exact=True, families=ODD)
        if not exact and self._likely(0.2):
            q = self._q()
            return f"quantile_over_time({q}, {_without_at(inner, q)})"
        return f"{self._pick(names)}_over_time({inner})"

    def _rate(self, depth: int) -> str:
        name = self._pick(("rate", "rate", "increase", "irate", "delta", "idelta"))
        families = EXACT if "delta" in name else COUNTERS
        return f"{name}({self._range(0, exact=True, families=families)})"

    def _regression(self, depth: int) -> str:
        inner = self._range(0, exact=True)
        kind = self._chance.randrange(3)
        if kind == 0:
            return f"deriv({inner})"
        if kind == 1:
            factors = self._chance.sample(("0.1", "0.5", "0.9", "time() % 32 / 64 + 0.1"), 2)
            inner = _without_at(inner, *factors)
            return f"double_exponential_smoothing({inner}, {', '.join(factors)})"
        inner = inner.partition(" @")[0]
        return f"predict_linear({inner}, {self._pick(('3600', '-60', '0', 'time() % 100'))})"

    def _histogram(self, depth: int) -> str:
        inner = self._matched(self._pick(BUCKETS))
        if self._likely(0.5):
            inner = f"rate({inner}[{self._pick(('1m', '5m', '30m'))}])"
        if self._likely(0.5):
            inner = f"sum by ({self._pick(('le', 'a, le'))}) ({inner})"
        return f"histogram_quantile({self._q()}, {inner})"

    def _relabelled(self, depth: int, *, exact: bool) -> str:
        inner = self._vector(depth, exact=exact)
        target, source = self._pick(EVERY_LABEL), self._pick((*EVERY_LABEL, "__name__"))
        if self._likely(0.3):
            sources = "".join(f', "{label}"' for label in self._labels())
            return f'label_join({inner}, "{target}", "-"{sources})'
        pattern = self._pick(("(.*)", "(.)(.*)", "(?P<n>x|y)", "", "z|", "exact_(.*)"))
        replacement = self._pick(("$1", "$2-$1", "${n}", "v", "", "$0", "$$1", "${1}a", "$n1"))
        return f'label_replace({inner}, "{target}", "{replacement}", "{source}", "{pattern}")'

    def _of_time(self, depth: int) -> str:
        inner = self._vector(depth, exact=True)
        selector = self._selector(exact=True)
        # With `@`, an offset has odd effects in Prometheus.
        plain = selector.partition(" @")[0] if "@" in selector else selector
        return self._pick(
            (
                f"floor(timestamp({plain})) - 1.7e9",
                f"timestamp(({inner}) + 0) - 1.7e9",
                f"vector({self._scalar(depth)})",
                f"absent({selector})",
                f"absent({inner})",
                f"{self._pick(DATES)}()",
                f"{self._pick(DATES)}({inner})",
                "vector(time())",
            )
        )

    def _sorted_or_best(self, depth: int) -> str:
        inner = self._vector(depth, exact=True)
        if self._likely(0.3):
            return f"{self._pick(('sort', 'sort_desc'))}({inner})"
        if self._likely(0.3):
            label = self._pick(("value", "a"))
            clause = self._clause()
            clause = clause if label == "value" or " by " not in clause else ""
            return f'count_values{clause} ("{label}", {inner})'
        # Of equal values any may be kept, so only how many there are and their values are defined;
        # 0 and -0 are equal.
        best = f"{self._pick(('topk', 'bottomk'))}{self._clause()} ({self._k()}, ({inner}) + 0)"
        return f'count_values("value", {best})'

    # Operators

    def _aggregation(self, depth: int, *, exact: bool) -> str:
        names = ["sum", "min", "max", "count", "group"]
        inner = self._vector(depth, exact=exact)
        clause = self._clause()
        if not exact:
            if self._likely(0.15):
                # Before 3, the deviation of a single NaN was 0.
                inner = f"clamp({self._vector(depth, exact=True)}, -1e9, 1e9)"
                plain = f"{inner} == {inner}"
                return f"{self._pick(('stddev', 'stdvar'))}{clause} ({plain})"
            if self._likely(0.15):
                return f"quantile{clause} ({self._q()}, {inner})"
            names += ["avg", "avg"]
        name = self._pick(names)
        return f"{name} ({inner}){clause}" if self._likely(0.3) else f"{name}{clause} ({inner})"

    def _with_scalar(self, depth: int, *, exact: bool) -> str:
        inner = self._vector(depth, exact=exact)
        operator = self._pick(("+", "-", "*"))
        scalar = self._pick(("2", "-0.5", "0x10", "0", "1.5", "(time() % 16)"))
        operands = [f"({inner})" if self._likely(0.8) else inner, scalar]
        self._chance.shuffle(operands)
        return f"{operands[0]} {operator} {operands[1]}"

    def _between(self, depth: int, *, exact: bool) -> str:
        left, right = (self._vector(depth, exact=exact) for _ in range(2))
        return f"({left}) {self._pick(('+', '-'))}{self._matching()} ({right})"

    def _comparison(self, depth: int) -> str:
        left = self._vector(depth, exact=True)
        operator = self._pick(COMPARISONS) + (" bool" if self._likely(0.3) else "")
        if self._likely(0.5):
            scalar = self._pick(("0", "1", "10.25", "-3", "NaN", "Inf", "(time() % 32)"))
            operands = [f"({left})", scalar]
            self._chance.shuffle(operands)
            return f"{operands[0]} {operator} {operands[1]}"
        right = self._vector(depth, exact=True)
        return f"({left}) {operator}{self._matching()} ({right})"

    def _set(self, depth: int, *, exact: bool) -> str:
        left, right = (self._vector(depth, exact=exact) for _ in range(2))
        matching = ""
        if self._likely(0.4):
            matching = f" {self._pick(('on', 'ignoring'))}({', '.join(self._labels())})"
        return f"({left}) {self._pick(SETS)}{matching} ({right})"

    def _matching(self) -> str:
        if self._likely(0.4):
            return ""
        labels = self._labels()
        kind = self._pick(("on", "ignoring"))
        group = ""
        if self._likely(0.6):
            included = [label for label in self._labels() if kind != "on" or label not in labels]
            group = f" {self._pick(('group_left', 'group_right'))}({', '.join(included)})"
        return f" {kind}({', '.join(labels)}){group}"

    def _clause(self) -> str:
        if self._likely(0.3):
            return ""
        return f" {self._pick(('by', 'without'))} ({', '.join(self._labels())})"

    def _labels(self) -> list[str]:
        names = (*EVERY_LABEL, "missing")
        return self._chance.sample(names, self._pick((0, 1, 1, 2, 2, 3)))

    # Scalars, all of which are exact

    def _scalar(self, depth: int) -> str:
        if depth <= 0 or self._likely(0.3):
            literals = ("1", "-2.5", "0x1F", "1e3", ".5", "5e-1", "Inf", "-Inf", "NaN", "time()")
            return self._pick((*literals, "nan", "inf", "07", "pi()"))
        choice = self._chance.randrange(5)
        if choice == 0:
            return f"scalar({self._vector(depth - 1, exact=True)})"
        left, right = self._scalar(depth - 1), self._scalar(depth - 1)
        if choice == 1:
            return f"({left}) {self._pick(COMPARISONS)} bool ({right})"
        if choice == 2:
            return f"-({left})"
        return f"{left} {self._pick(('+', '-', '*', '/', '%', '^', 'atan2'))} {right}"

    def _q(self) -> str:
        return self._pick(("0", "0.5", "0.9", "1", "0.25", "-1", "2", "NaN", "time() % 60 / 64"))

    def _k(self) -> str:
        return self._pick(("1", "2", "3", "100", "0", "-1", "1.9", "time() % 4", "2"))

    def _pick(self, choices: Sequence[T]) -> T:
        return self._chance.choice(choices)

    def _likely(self, probability: float) -> bool:
        return self._chance.random() < probability


def _without_at(inner: str, *parameters: str) -> str:
    """Return a range vector without `@` if parameters change.

    Before 3, a range query then had only some steps.
    """
    return inner.partition(" @")[0] if "time()" in "".join(parameters) else inner
