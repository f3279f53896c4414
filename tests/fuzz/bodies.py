"""Bodies of all kinds: valid ones, ones with a single fault, and damaged JSON."""

from __future__ import annotations

import json
import time
from typing import Any

from hypothesis import strategies as st

Bytes = st.SearchStrategy[bytes]

NOW = int(time.time())
MAX_BODY = 600_000
# fmt: off
ODD_NUMBERS = [
    "-0", "-0.0", "0.0", "1.0", "1e5", "1E+2", "1e-2", "01", "+1", ".5", "1.", "1e", "1e+",
    "0x10", "1_0", "NaN", "Infinity", "-Infinity", "nan", "1e400", "-1e400", "1e308",
    "1.7976931348623157e308", "1.7976931348623159e308", "5e-324", "1e-400",
    "2.2250738585072011e-308", "0.1000000000000000055511151231257827", "9007199254740993",
    "18446744073709551615", "18446744073709551616", "-9223372036854775809", "95617584000",
    "95617584001", "95617584000999", "95617584001000", "123456789012345678901234",
]
# fmt: on
LONG_NUMBERS = [
    f"{sign}{digit}{'0' * zeros}"
    for sign in ("", "-")
    for digit in "19"
    for zeros in (30, 308, 309, 400, 5000)
]
ODD_STRINGS = [
    rb'"\ud800"', rb'"\ud83d\ude00"', rb'"\ude00\ud83d"', rb'"\u0000"', rb'"\u0041"', rb'"\x41"',
    rb'"a\nb"', b'"a\nb"', b'"\x7f"', b'"\xc2\x85"', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"',
    b'"\xf0\x9f\x98\x80"', b'"\xe2\x80\xa8"', b'"\xef\xbb\xbf"', rb'"\/"', b"'a'", b'"', b'"a',
]  # fmt: skip
DEEP = [opening * 20_000 for opening in (b"[", b'{"a":')] + [b"[" * 150 + b"]" * 150]

names = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:./-]{0,8}", fullmatch=True) | st.sampled_from(
    ["a" * 255, "a" * 256, "", "1a", "-a", "a:b", "a b", "a\n", "é", "metrics", "a/b~"]
)
texts = st.text(min_size=1, max_size=8) | st.sampled_from(
    ["42", "v" * 1024, "v" * 1025, "😀" * 1024]
)


@st.composite
def json_text(draw: st.DrawFn, value: Any) -> bytes:
    """Write a value as JSON in one of its spellings."""
    return json.dumps(
        value,
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")])),
    ).encode("utf-8", "surrogatepass")


def values_as_json(strategy: st.SearchStrategy[Any]) -> Bytes:
    return strategy.flatmap(json_text)


numbers = st.sampled_from([*ODD_NUMBERS, *LONG_NUMBERS]).map(str.encode)
anything: Bytes = st.one_of(
    values_as_json(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | texts,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
            max_leaves=5,
        )
    ),
    numbers,
    st.sampled_from(ODD_STRINGS),
    st.sampled_from(DEEP),
)

good_names = values_as_json(st.from_regex(r"[a-zA-Z][_a-zA-Z0-9.-]{0,20}", fullmatch=True))
good_times = values_as_json(
    st.integers(0, NOW)
    | st.integers(0, NOW * 1000)
    | st.integers(0, NOW * 10**9)
    # Far enough from 24 h ahead that the duration of the test does not matter.
    | st.sampled_from([NOW + 23 * 3600, NOW + 25 * 3600, (NOW + 25 * 3600) * 1000])
)
good_values = (
    values_as_json(st.integers() | st.floats(allow_nan=False, allow_infinity=False)) | numbers
)
good_tags = values_as_json(
    st.dictionaries(st.from_regex("[a-z][a-z0-9]{0,5}", fullmatch=True), texts, max_size=11)
)


@st.composite
def objects(draw: st.DrawFn, fields: list[tuple[bytes, bytes]]) -> bytes:
    """Write fields as an object, sometimes with a field duplicated, left out or oddly named."""
    match draw(st.integers(0, 19)):
        case 0 if fields:
            fields = [*fields, (draw(st.sampled_from(fields))[0], draw(anything))]
        case 1 if fields:
            fields = [(fields[0][0], draw(anything)), *fields]
        case 2 if fields:
            fields = draw(st.permutations(fields))[1:]
        case 3:
            fields = [*fields, (draw(values_as_json(names)), draw(anything))]
        case 4:
            fields = draw(st.permutations(fields))
    gap = draw(st.sampled_from([b"", b"", b" ", b"\n\t"]))
    comma = draw(st.sampled_from([b","] * 30 + [b",,", b"", b";"]))
    return b"{" + gap + comma.join(k + gap + b":" + v for k, v in fields) + gap + b"}"


def mostly(good: Bytes) -> Bytes:
    """Return `good` with a few values of any kind among them."""
    return st.integers(0, 24).flatmap(lambda chance: anything if chance == 0 else good)


@st.composite
def items(draw: st.DrawFn) -> bytes:
    spelling = draw(st.sampled_from([b'"name"', b'"name"', b'"metric"']))
    fields = [
        (spelling, draw(mostly(good_names))),
        (b'"timestamp"', draw(mostly(good_times))),
        (b'"value"', draw(mostly(good_values))),
        (b'"tags"', draw(mostly(good_tags))),
    ]
    return draw(objects(fields))


@st.composite
def whole_bodies(draw: st.DrawFn) -> bytes:
    listed = draw(st.lists(mostly(items()), max_size=5))
    metrics = draw(mostly(st.just(b"[" + b",".join(listed) + b"]")))
    return draw(mostly(objects([(b'"metrics"', metrics)])))


@st.composite
def mutated(draw: st.DrawFn, originals: Bytes) -> bytes:
    """Change a few bytes: replace, insert, remove, or cut the rest off."""
    content = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(content)))
        match draw(st.integers(0, 3)):
            case 0:
                content[at : at + 1] = draw(st.binary(min_size=1, max_size=2))
            case 1:
                content[at:at] = draw(st.sampled_from([b'"', b"\\", b"}", b"[", b"0", b"-", b"e"]))
            case 2:
                del content[at : at + draw(st.integers(1, 4))]
            case 3:
                del content[at:]
    return bytes(content)


# Several deeply nested values may exceed the limit, which has its own test.
bodies: Bytes = st.one_of(
    whole_bodies(), whole_bodies(), whole_bodies(), mutated(whole_bodies()), st.binary(max_size=40)
).filter(lambda body: len(body) <= MAX_BODY)
