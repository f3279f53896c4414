"""The syntax's rules that no older Prometheus can be asked about, and those of the tree."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.promql.syntax import ParseError, parse
from adapters.promql.syntax.printer import in_one_line
from adapters.promql.syntax.signatures import SIGNATURES
from adapters.promql.syntax.tree import MatrixSelector, NumberLiteral, Subquery, VectorSelector
from tests.promql.generate import PIECES


def selector(text: str) -> VectorSelector:
    tree = parse(text)
    assert isinstance(tree, VectorSelector)
    return tree


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000", 1000),
        ("1_000.000_5", 1000.0005),
        ("0x_FF", 255),
        ("017", 15),
        ("08", 8),
        ("1e3", 1000),
        (".5", 0.5),
        ("-Inf", -math.inf),
        ("5m", 300),
        ("1h30m", 5400),
        ("-1d", -86_400),
        ("250ms", 0.25),
    ],
)
def test_numbers(text: str, value: float) -> None:
    tree = parse(text)
    assert isinstance(tree, NumberLiteral)
    assert tree.value == value


@pytest.mark.parametrize("text", ["1__0", "1_", "1_.5", "0x", "1e", "1.2.3", "5mm", "09m1h"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ParseError):
        parse(text)


def test_numbers_are_durations_in_seconds() -> None:
    tree = parse("x[300] offset 60 @ 5m")
    assert isinstance(tree, MatrixSelector)
    assert (tree.range, tree.selector.offset, tree.selector.at) == (300_000, 60_000, 300_000)
    tree = parse("x[1.5:0x10] offset 0 offset -1")
    assert isinstance(tree, Subquery)
    assert (tree.range, tree.step, tree.offset) == (1500, 16_000, -1000)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\x41\101é\U0001F600"', "AAé😀"),
        (r'"\xc3\xa4"', "ä"),
        (r'"\xe4"', "\ufffd"),
        (r"'a\'b\"c'", None),
        (r"'a\'b'", "a'b"),
        (r"`a\n'`", r"a\n'"),
        ('"a\nb"', None),
        ("`a\nb`", "a\nb"),
    ],
)
def test_texts(text: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(ParseError):
            parse(f"x{{a={text}}}")
    else:
        assert selector(f"x{{a={text}}}").matchers[1].value == value


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ('{"a.b"}', [("__name__", "=", "a.b")]),
        (
            '{"a.b", "c.d"="x", e!~"y"}',
            [("__name__", "=", "a.b"), ("c.d", "=", "x"), ("e", "!~", "y")],
        ),
        ('{"ä ö"!="x", "n",}', [("ä ö", "!=", "x"), ("__name__", "=", "n")]),
        ('{__name__="a.b"}', [("__name__", "=", "a.b")]),
        ('x{"y z"=~"a|b"}', [("__name__", "=", "x"), ("y z", "=~", "a|b")]),
    ],
)
def test_names_in_quotes(text: str, matchers: list[tuple[str, str, str]]) -> None:
    found = selector(text).matchers
    assert [(one.name, one.operator.value, one.value) for one in found] == matchers


@pytest.mark.parametrize(
    "text",
    [
        '{"c.d"="x",__name__="a.b"}',
        'sum by ("a.b", c) (x)',
        'x * on ("ä") group_left ("b c") y',
        'label_replace({__name__="a.b"}, "x.y", "$1", "a.b", "(.*)")',
        'x{"c.d"=~"x"}[5m] @ end() offset -1m30s',
        "(x)[1h:] offset 1w",
        "1.5 + -x ^ 2 > bool +y",
        "topk without (a) (3, x)",
        "sum(x) == 5m",
        "x offset 90d",
    ],
)
def test_what_is_printed_is_the_same_expression(text: str) -> None:
    assert in_one_line(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a - b - c", "(a - b) - c"),
        ("a ^ b ^ c", "a ^ (b ^ c)"),
        ("-a ^ b", "-(a ^ b)"),
        ("-a * b", "(-a) * b"),
        ("a * -b ^ c * d", "(a * -(b ^ c)) * d"),
        ("a + b * c % d", "a + ((b * c) % d)"),
        ("a > b + c and d or e unless f", "((a > (b + c)) and d) or (e unless f)"),
        ("a or b and c", "a or (b and c)"),
        ("a == b > c", "(a == b) > c"),
        ("a atan2 b / c", "(a atan2 b) / c"),
        ("a ^ b offset 5m", "a ^ (b offset 5m)"),
        ("-a[5m:] offset 1m", None),
    ],
)
def test_precedence(text: str, printed: str | None) -> None:
    if printed is None:
        with pytest.raises(ParseError, match="unary expression only allowed"):
            parse(text)
    else:
        assert _shape(text) == _shape(printed)


def _shape(text: str) -> object:
    """Return a tree without its places in the text, and without parentheses."""

    def shape(node: object) -> object:
        fields = getattr(node, "__struct_fields__", ())
        if type(node).__name__ == "Parentheses":
            return shape(getattr(node, "expression"))  # noqa: B009  a struct of any kind
        if isinstance(node, tuple):
            return [shape(one) for one in node]
        if type(node).__name__ == "Matcher":
            return getattr(node, "value")  # noqa: B009
        if not fields:
            return node
        kept = [name for name in fields if name not in ("start", "end")]
        return (type(node).__name__, *(shape(getattr(node, name)) for name in kept))

    return shape(parse(text))


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_a_function_needs_its_arguments(name: str) -> None:
    signature = SIGNATURES[name]
    written = {"instant vector": "x", "range vector": "x[5m]", "scalar": "1", "string": "'a'"}
    arguments = [written[one] for one in signature.arguments]
    parse(f"{name}({', '.join(arguments)})")
    for place in range(len(arguments)):
        wrong = "'b'" if signature.arguments[place] != "string" else "2"
        changed = [*arguments[:place], wrong, *arguments[place + 1 :]]
        with pytest.raises(ParseError, match=f'in call to function "{name}", got'):
            parse(f"{name}({', '.join(changed)})")
    if signature.most is not None:
        with pytest.raises(ParseError, match=f'in call to "{name}", got'):
            parse(f"{name}({', '.join([*arguments, '1'])})")
    if arguments:
        fewer = arguments[: -2 if signature.optional else -1]
        if len(fewer) < len(arguments) - signature.optional:
            with pytest.raises(ParseError, match=f'in call to "{name}", got'):
                parse(f"{name}({', '.join(fewer)})")


@given(st.text() | st.lists(st.sampled_from(PIECES)).map("".join))
@example("\ud800")
@example('"\\U00110000"')
@example("(" * 100_000)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(ParseError):
        printed = in_one_line(parse(text))
        assert in_one_line(parse(printed)) == printed
