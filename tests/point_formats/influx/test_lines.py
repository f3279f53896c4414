"""The rules of the line protocol, and what its lines mean here."""

from __future__ import annotations

import asyncio

import pytest

from adapters.point_formats.influx.format import MAX_ON_LOOP, InfluxFormat, LineReaders
from adapters.point_formats.influx.precisions import VERSION_1, VERSION_2, VERSION_3, Precisions
from adapters.point_formats.influx.readable import read_readably
from application.errors import BodyTooLarge, MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.errors import InvalidArgument

RECEIVED = 1_790_000_000_000
TERMS = BodyTerms(RECEIVED + 86_400_000, RECEIVED, 100_000)
SECOND = 1_500_000_000


def read(text: str | bytes) -> Decoded:
    body = text.encode() if isinstance(text, str) else text
    return read_readably(body, TERMS, VERSION_1["s"])


def rows(decoded: Decoded) -> list[tuple[str, float, dict[str, str]]]:
    return [(point.name, point.value, point.tags) for point in decoded.points.points()]


def refused(decoded: Decoded) -> list[tuple[str, Reason, int]]:
    found = decoded.refused.first if decoded.refused else []
    return [(point.place, point.reason, point.points) for point in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cpu value=1", ("cpu", {})),
        ("cpu idle=1", ("cpu_idle", {})),
        ("cpu,host=a,zone=b idle=1", ("cpu_idle", {"host": "a", "zone": "b"})),
        # "Special characters"
        (r"a\,b\ c value=1", ("a_b_c", {})),
        (r"m,a\,b\ c\=d=e value=1", ("m", {"a_b_c_d": "e"})),
        (r"m,t=a\,b\ c\=d value=1", ("m", {"t": "a,b c=d"})),
        (r"m a\,b\ c\=d=1", ("m_a_b_c_d", {})),
        (r"m,t=C:\dir value=1", ("m", {"t": r"C:\dir"})),
        (r"m,t=C:\\,u=x value=1", ("m", {"t": "C:\\", "u": "x"})),
        (r"a=b value=1", ("a_b", {})),
        ('m,t="quoted" value=1', ("m", {"t": '"quoted"'})),
        ('m "f"=1', ("m__f_", {})),
        ("m,t=é😀 value=1", ("m", {"t": "é😀"})),
        ("1m,1t=x 1f=1", ("_1m_1f", {"_1t": "x"})),
        ("m.a/b-c:d f.g=1", ("m.a/b-c:d_f.g", {})),
        ("  \tm   value=1", ("m", {})),
    ],
)
def test_measurement_field_and_tags_become_name_and_tags(
    line: str, expected: tuple[str, dict[str, str]]
) -> None:
    for ending in ("", f" {SECOND}", f"   {SECOND}  ", f" {SECOND}\r\n", "\r\n\r\n"):
        decoded = read(line + ending)
        assert rows(decoded) == [(expected[0], 1.0, expected[1])]
        assert decoded.refused is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1.5", -1.5),
        ("+2.", 2.0),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("9223372036854775807i", 2.0**63),
        ("-9223372036854775808i", -(2.0**63)),
        ("18446744073709551615u", 2.0**64),
        *((true, 1.0) for true in ("t", "T", "true", "True", "TRUE")),
        *((false, 0.0) for false in ("f", "F", "false", "False", "FALSE")),
    ],
)
def test_numbers_integers_and_booleans_are_values(text: str, value: float) -> None:
    assert rows(read(f"m value={text}")) == [("m", value, {})]


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "1x", "NaN", "inf", "-Infinity", "1e400", "1_0", "0x1", "--1", "1.5i", "-1u"),
        *("9223372036854775808i", "18446744073709551616u", "i", "TrUe", "yes", "٣", "'1'"),
    ],
)
def test_other_values_make_a_line_invalid(text: str) -> None:
    decoded = read(f"a value=1\nm f=2,value={text},g=3 {SECOND}\nb value=1")
    assert [name for name, *_ in rows(decoded)] == ["a", "b"]
    assert refused(decoded) == [("line 2", Reason.SYNTAX, 1)]


def test_strings_are_refused_and_the_other_fields_of_their_line_stored() -> None:
    string = 'a,b=1 c\nd "e" \\'.replace("\\", "\\\\").replace('"', '\\"')
    decoded = read(f'm f=1,s="{string}",g=2 {SECOND}\nn value=3')
    assert rows(decoded) == [("m_f", 1.0, {}), ("m_g", 2.0, {}), ("n", 3.0, {})]
    assert refused(decoded) == [("line 1", Reason.UNSUPPORTED, 1)]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("m", "missing fields"),
        ("m ", "missing fields"),
        ("m,t=v", "missing fields"),
        (",t=v f=1", "missing measurement"),
        ("m, f=1", "missing tag key"),
        ("m,t=v, f=1", "missing tag key"),
        ("m,=v f=1", "missing tag key"),
        ("m,t f=1", "missing value of tag 't'"),
        ("m,t= f=1", "missing value of tag 't'"),
        ("m,t=a=b f=1", "the value of tag 't' has an = that is not escaped"),
        ("m f", "missing value of field 'f'"),
        ("m f=", "missing value of field 'f'"),
        ("m f=1,", "missing field key"),
        ("m f=1, g=2", "missing field key"),
        ("m =1", "missing field key"),
        ("m f=1 x", "invalid timestamp"),
        ("m f=1 1.5", "unexpected text after the timestamp"),
        ("m f=1 1 2", "unexpected text after the timestamp"),
        ("m f=1 123456789012345678901", "invalid timestamp"),
        ('m f="a"b', "missing comma between fields"),
        ('m f="a', "the string of field 'f' has no end"),
    ],
)
def test_a_line_that_is_not_in_the_format_is_refused_alone(line: str, detail: str) -> None:
    decoded = read(f"a value=1\n{line}")
    assert rows(decoded) == [("a", 1.0, {})]
    assert decoded.refused is not None
    (point,) = decoded.refused.first
    assert (point.place, point.reason, point.detail) == ("line 2", Reason.SYNTAX, detail)
    assert point.original == line


def test_comments_and_blank_lines_are_skipped_but_counted() -> None:
    decoded = read('\n# a comment\n \r\n\t#m f=1\nbad\nm s="\n\n",value=1\nworse')
    assert rows(decoded) == [("m", 1.0, {})]
    assert [place for place, *_ in refused(decoded)] == ["line 5", "line 6", "line 9"]


def test_each_field_of_a_line_that_cannot_be_mapped_is_refused() -> None:
    many = ",".join(f"t{number}=x" for number in range(41))
    decoded = read(
        f"m,{many} f=1,g=2\n{'n' * 255} value=1,f=2\nm,t={'v' * 1025} f=1\nm,a.b=1,a.b=2 f=1"
    )
    assert [name for name, *_ in rows(decoded)] == ["n" * 255]
    assert refused(decoded) == [
        ("line 1", Reason.TOO_MANY_TAGS, 2),
        ("line 2", Reason.NAME, 1),
        ("line 3", Reason.TAG, 1),
        ("line 4", Reason.TAG, 1),
    ]


def test_a_line_that_is_not_utf_8_is_refused_alone() -> None:
    decoded = read(b"a,t=\xe9 value=1\nb value=2\n\xff")
    assert rows(decoded) == [("b", 2.0, {})]
    assert [reason for _, reason, _ in refused(decoded)] == [Reason.SYNTAX, Reason.SYNTAX]


def test_lines_without_a_time_have_that_of_receipt() -> None:
    decoded = read(f"a value=1 {SECOND}\nb value=2")
    assert [*decoded.points.timestamps] == [SECOND * 1000, RECEIVED]
    assert not decoded.timed
    assert read(f"a value=1 {SECOND}").timed


def test_times_outside_the_range_are_refused() -> None:
    decoded = read(
        f"a f=1,g=2 -1\nb value=1 {TERMS.latest // 1000}\nc value=1 {TERMS.latest // 1000 + 1}"
    )
    assert [name for name, *_ in rows(decoded)] == ["b"]
    assert refused(decoded) == [("line 1", Reason.TIME, 2), ("line 3", Reason.TIME, 1)]


def decode(body: bytes, precisions: Precisions, terms: BodyTerms = TERMS, **given: str) -> Decoded:
    terms = BodyTerms(terms.latest, terms.received, terms.max_points, given)
    return asyncio.run(InfluxFormat(LineReaders(1000), precisions).decode(body, terms))


@pytest.mark.parametrize(
    ("precisions", "precision", "time"),
    [
        *((VERSION_1, name, f"{SECOND}123456789") for name in ("", "n", "ns")),
        *((VERSION_1, name, f"{SECOND}123456") for name in ("u", "us", "µ")),
        (VERSION_1, "ms", f"{SECOND}123"),
        (VERSION_2, "", f"{SECOND}123456789"),
        (VERSION_2, "us", f"{SECOND}123456"),
        *((VERSION_3, name, f"{SECOND}123456789") for name in ("", "auto", "nanosecond", "ns")),
        *((VERSION_3, name, f"{SECOND}123456") for name in ("", "auto", "microsecond", "us")),
        *((VERSION_3, name, f"{SECOND}123") for name in ("", "auto", "millisecond", "ms")),
    ],
)
def test_the_precision_is_the_unit_of_times(
    precisions: Precisions, precision: str, time: str
) -> None:
    decoded = decode(f"m f=1 {time}".encode(), precisions, precision=precision)
    assert [*decoded.points.timestamps] == [SECOND * 1000 + 123]


def test_whole_units_and_the_bounds_of_the_guess() -> None:
    hours = decode(b"m f=1 416666", VERSION_1, precision="h").points.timestamps
    minutes = decode(b"m f=1 25000000", VERSION_1, precision="m").points.timestamps
    assert [*hours, *minutes] == [416_666 * 3_600_000, SECOND * 1000]
    guess = VERSION_3["auto"]
    for power, unit in ((12, 1), (15, 1000)):
        assert guess(5 * 10**power - 1) == (5 * 10**power - 1) // unit
        assert guess(5 * 10**power) == 5 * 10**power // (unit * 1000)
    assert guess(4_999_999_999) == 4_999_999_999_000
    assert guess(5_000_000_000) == 5_000_000_000


@pytest.mark.parametrize("precisions", [VERSION_1, VERSION_2, VERSION_3])
def test_an_unknown_precision_is_an_error(precisions: Precisions) -> None:
    with pytest.raises(InvalidArgument, match="precision"):
        decode(b"m f=1", precisions, precision="d")


def test_a_client_may_ask_for_all_or_nothing() -> None:
    with pytest.raises(MalformedBody, match="line 2: missing fields"):
        decode(b"a f=1\nb", VERSION_3, accept_partial="false")
    assert len(decode(b"a f=1\nb", VERSION_3, accept_partial="true").points) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"m f=1\n" * 11,
        b"m f=1 1500000000\n" * 11,
        b"m " + b"f=1," * 10 + b"f=1",
        b"\n" * 100 + b"m f=1\n" * 11,
    ],
)
def test_more_points_than_the_limit_are_too_large(body: bytes) -> None:
    with pytest.raises(BodyTooLarge):
        decode(body, VERSION_1, BodyTerms(TERMS.latest, RECEIVED, 10))


@pytest.mark.parametrize(
    "line",
    [
        b"m" * (4 << 20),
        b"m," + b"t=v," * (1 << 20) + b"t=v f=1",
        b'm f="' + b"a" * (4 << 20),
        b"m f=" + b"1" * (4 << 20),
        b"m f=1 " + b"1" * (4 << 20),
        b"\\" * (4 << 20),
        b"m " + b"\\" * (4 << 20),
        b'"' * (4 << 20),
    ],
)
def test_a_line_of_megabytes_is_refused_alone(line: bytes) -> None:
    decoded = decode(b"a f=1\n" + line, VERSION_1)
    assert len(decoded.points) == 1
    assert [place for place, *_ in refused(decoded)] == ["line 2"]


def test_a_large_body_is_read_in_a_thread_with_the_same_result() -> None:
    line = b"m,host=a value=1.5 %d\nbad\n"
    count = MAX_ON_LOOP // len(line)
    body = b"".join(line % (SECOND + number) for number in range(count))
    decoded = decode(body, VERSION_1, precision="s")
    assert [*decoded.points.timestamps] == [(SECOND + number) * 1000 for number in range(count)]
    assert decoded.refused is not None
    assert decoded.refused.points == count
