"""Generated bodies: plain lines, all that the format allows, and damaged ones."""

from __future__ import annotations

from hypothesis import strategies as st

MARKS = [",", "=", " ", "\\", '"', "\n", "\r", "\t", "#", "\x00", "é", "😀"]
texts = st.text(st.sampled_from("ab1_.-/é"), min_size=1, max_size=6)
odd_texts = st.lists(st.sampled_from(["a", "b7", "value", *MARKS]), min_size=0, max_size=5).map(
    "".join
)
# fmt: off
numbers = st.sampled_from([
    "0", "-0", "1", "-1.5", "+2", "1e5", "1E-3", ".5", "5.", "007", "1e400", "-1e400", "1e", ".",
    "-", "1_0", "nan", "NaN", "inf", "-Inf", "Infinity", "0x10", "٣", "\t1", "1\t",
    "1i", "-9223372036854775808i", "9223372036854775808i",
    "123456789012345678901234567890i", "1.5i", "i", "1_0i", "1u", "-1u",
    "18446744073709551615u", "18446744073709551616u", "u",
    "t", "T", "true", "True", "TRUE", "tRUE", "f", "F", "false", "False", "FALSE", "",
    '"text"', '""', '"a,b=1 c"', '"two\nlines"', r'"\"quoted\""', r'"\\"', '"open', '"x"y', r'"\"',
]) | st.floats().map(repr) | st.integers().map(lambda number: f"{number}i")
times = st.sampled_from([
    "1500000000", "1500000000000", "1500000000000000000", "0", "-1", "9223372036854775807",
    "99999999999999999999", "1.5", "x", "1500000000\t", "1500000000 x", "1500000000\r",
]) | st.integers(0, 2 * 10**18).map(str)
# fmt: on


def escaped(marks: str, text: str) -> str:
    for mark in "\\" + marks:
        text = text.replace(mark, "\\" + mark)
    return text


@st.composite
def good_lines(draw: st.DrawFn) -> str:
    measurement = draw(texts)
    tags = draw(st.dictionaries(texts, texts, max_size=3))
    fields = draw(st.lists(st.tuples(texts, st.integers(-99, 99)), min_size=1, max_size=3))
    series = ",".join([measurement, *(f"{name}={value}" for name, value in tags.items())])
    return f"{series} {','.join(f'{k}={v}i' for k, v in fields)} {draw(times)}"


@st.composite
def odd_lines(draw: st.DrawFn) -> str:
    either = texts | odd_texts
    measurement = escaped(", ", draw(either))
    tags = draw(st.lists(st.tuples(either, either), max_size=3))
    fields = draw(st.lists(st.tuples(either, numbers), max_size=3))
    pairs = [f"{escaped(',= ', k)}={escaped(',= ', v)}" for k, v in tags]
    written = [f"{escaped(',= ', k)}={v}" for k, v in fields]
    space = draw(st.sampled_from([" ", " ", " ", "  ", "", "\t", ","]))
    line = ",".join([measurement, *pairs]) + space + ",".join(written)
    time = draw(times | st.none())
    return line if time is None else f"{line} {time}"


comments = st.sampled_from(["", " ", "# a comment", "#", " #x", "\t", "\r"])
loose = st.lists(st.sampled_from(["a", "1", "=", ",", " ", '"', "\\", "\n", "i"]), max_size=20).map(
    "".join
)
lines = st.one_of(good_lines(), good_lines(), odd_lines(), comments, loose)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a body; one in a few is damaged, or not UTF-8."""
    ending = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = ending.join(draw(st.lists(lines, max_size=6)))
    body = bytearray((text + draw(st.sampled_from(["", ending]))).encode())
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body)
