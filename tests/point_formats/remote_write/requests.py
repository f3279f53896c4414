"""Requests of both versions, written by hand, and strategies for odd ones."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence

from hypothesis import strategies as st

from tests.point_formats.remote_write.slow_reader import LATEST
from tests.point_formats.remote_write.wire import (
    double,
    doubles,
    integer,
    text,
    varint,
    zigzag,
)

TIME = 1_793_491_200_000
STALE = struct.pack("<Q", 0x7FF0000000000002)

Bytes = st.SearchStrategy[bytes]
Labels = Sequence[tuple[bytes, bytes]]


def named(name: str, **labels: str) -> Labels:
    """Return labels with a metric's name."""
    return [(key.encode(), value.encode()) for key, value in {"__name__": name, **labels}.items()]


def sample(value: float | bytes = 1.5, time: int = TIME) -> bytes:
    """Write a Sample; its value may be given by its bits."""
    if isinstance(value, bytes):
        return b"\x09" + value + integer(2, time)
    return double(1, value) + integer(2, time)


def series_1(
    labels: Labels, *samples: bytes, histograms: Iterable[bytes] = (), exemplars: int = 0
) -> bytes:
    """Write a TimeSeries of version 1."""
    return b"".join(
        (
            *(text(1, _label(name, value)) for name, value in labels),
            *(text(2, each) for each in samples),
            *(text(3, exemplar()) for _ in range(exemplars)),
            *(text(4, each) for each in histograms),
        )
    )


def _label(name: bytes, value: bytes) -> bytes:
    return (text(1, name) if name else b"") + (text(2, value) if value else b"")


def exemplar() -> bytes:
    return text(1, _label(b"trace_id", b"42")) + double(2, 1.0) + integer(3, TIME)


def metadata_1(kind: int, name: str, help_text: str = "", unit: str = "") -> bytes:
    parts = ((2, name), (4, help_text), (5, unit))
    return integer(1, kind) + b"".join(text(n, t.encode()) for n, t in parts if t)


def request_1(*series: bytes, metadata: Iterable[bytes] = ()) -> bytes:
    return b"".join((*(text(1, each) for each in series), *(text(3, each) for each in metadata)))


class Symbols:
    """The table of a request of version 2."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {b"": 0}

    def __getitem__(self, content: bytes) -> int:
        return self._numbers.setdefault(content, len(self._numbers))

    def fields(self) -> bytes:
        return b"".join(text(4, each) for each in self._numbers)


Series2 = Callable[[Symbols], bytes]


def series_2(
    labels: Labels,
    *samples: bytes,
    histograms: Iterable[bytes] = (),
    exemplars: int = 0,
    metadata: tuple[int, str, str] | None = None,
    packed: bool = True,
) -> Series2:
    """Return what writes a TimeSeries of version 2; metadata is type, help text and unit."""

    def written(symbols: Symbols) -> bytes:
        numbers = [symbols[each] for label in labels for each in label]
        if packed:
            references = text(1, b"".join(map(varint, numbers)))
        else:
            references = b"".join(b"\x08" + varint(number) for number in numbers)
        described = b""
        if metadata is not None:
            kind, help_text, unit = metadata
            references_of = (symbols[help_text.encode()], symbols[unit.encode()])
            parts = integer(1, kind) + integer(3, references_of[0]) + integer(4, references_of[1])
            described = text(5, parts)
        return b"".join(
            (
                references,
                *(text(2, each) for each in samples),
                *(text(3, each) for each in histograms),
                *(text(4, double(2, 1.0) + integer(3, TIME)) for _ in range(exemplars)),
                described,
            )
        )

    return written


def request_2(*series: Series2) -> bytes:
    symbols = Symbols()
    written = [text(5, each(symbols)) for each in series]
    return symbols.fields() + b"".join(written)


def histogram(
    schema: int = 0,
    *,
    count: float = 0,
    total: float | bytes = 0.0,
    positive: Mapping[int, float] = {},
    negative: Mapping[int, float] = {},
    zero: tuple[float, float] = (0.0, 0),
    custom: Sequence[float] = (),
    time: int = TIME,
    floats: bool = False,
) -> bytes:
    """Write a Histogram. Buckets are observations by index, ascending; `zero` is (bound, count)."""
    parts = [double(2, count) if floats else integer(1, int(count))]
    parts.append(b"\x19" + total if isinstance(total, bytes) else double(3, total))
    parts.append(integer(4, zigzag(schema)))
    parts.append(double(5, zero[0]))
    parts.append(double(7, zero[1]) if floats else integer(6, int(zero[1])))
    for number, buckets in ((8, negative), (11, positive)):
        parts += _buckets(number, buckets, floats=floats)
    parts.append(integer(15, time))
    if custom:
        parts.append(text(16, doubles([*custom])))
    return b"".join(parts)


def _buckets(number: int, buckets: Mapping[int, float], *, floats: bool) -> Iterable[bytes]:
    after = 0
    for index in buckets:  # a span each
        yield text(number, integer(1, zigzag(index - after)) + integer(2, 1))
        after = index + 1
    counts = [*buckets.values()]
    if counts and floats:
        yield text(number + 2, doubles(counts))
    elif counts:
        deltas = [int(b - a) for a, b in zip([0, *counts], counts, strict=False)]
        yield text(number + 1, b"".join(varint(zigzag(each)) for each in deltas))


names = st.sampled_from([b"up", b"http_requests_total", b"a.b", b"9x", b"", b"\xff", b"x" * 256])
label_names = st.sampled_from(
    [b"host", b"job", b"le", b"a-b", b"a b", b"a_b", b"", b"__name__", b"\xc3\xa9", b"\xff"]
)
label_values = st.sampled_from(
    [b"a", b"b", b"10.0.0.1:80", b"", b"a\nb", b"\xf0\x9f\x98\x80", b"\xff", b"v" * 1025]
)
times = st.one_of(
    st.integers(0, LATEST),
    st.sampled_from([0, -1, LATEST, LATEST + 1, (1 << 63) - 1, -(1 << 63)]),
)
values = st.one_of(st.floats(), st.just(STALE), st.sampled_from([0.0, -0.0])).map(
    lambda value: value if isinstance(value, bytes) else struct.pack("<d", value)
)
unknown = st.one_of(
    st.sampled_from([7, 15, 16, 4000]).flatmap(
        lambda n: st.one_of(
            st.binary(max_size=4).map(lambda content: text(n, content)),
            st.integers(0, 1 << 64).map(lambda v: varint(n << 3) + varint(v)),
            st.just(varint(n << 3 | 5) + b"1234"),
            st.just(varint(n << 3 | 1) + b"12345678"),
            st.just(varint(n << 3 | 3) + b"\x09" + b"12345678" + varint(n << 3 | 4)),
        )
    )
)


@st.composite
def several(draw: st.DrawFn, parts: st.SearchStrategy[list[bytes]]) -> bytes:
    """Write the parts of a message, rarely in another order or with an unknown one."""
    found = draw(parts)
    match draw(st.integers(0, 9)):
        case 0:
            found = draw(st.permutations(found))
        case 1:
            found = [*found, draw(unknown)]
        case 2:
            found = [draw(unknown), *found]
    return b"".join(found)


def samples_of() -> Bytes:
    value = values.map(lambda content: b"\x09" + content if any(content) else b"")
    oddly = values.map(lambda content: b"\x09" + content)
    time = times.map(lambda number: integer(2, number))
    return several(st.tuples(st.one_of(value, oddly), time).map(list))


@st.composite
def histograms_of(draw: st.DrawFn) -> bytes:
    """Write a histogram that is mostly valid."""
    buckets = st.dictionaries(st.integers(-20, 20), st.integers(0, 5), max_size=4).map(
        lambda found: dict(sorted(found.items()))
    )
    positive, negative = draw(buckets), draw(buckets)
    zero = draw(st.sampled_from([0.0, 1e-9, 1.0, float("nan")])), draw(st.integers(0, 3))
    schema = draw(st.sampled_from([0, 1, 3, -4, 8, -53, -10, 60]))
    count = sum(positive.values()) + sum(negative.values()) + zero[1]
    written = histogram(
        schema,
        count=max(count + draw(st.sampled_from([0, 0, 0, 1, -1])), 0),
        total=draw(values),
        positive=positive,
        negative={} if schema == -53 else negative,
        zero=zero,
        custom=draw(st.lists(st.floats(), max_size=5).map(sorted)),
        time=draw(times),
        floats=draw(st.booleans()),
    )
    return draw(several(st.just([written])))


labels_of = st.one_of(
    st.lists(st.tuples(label_names, label_values), max_size=4).flatmap(
        lambda found: names.map(lambda name: [(b"__name__", name), *found])
    ),
    st.integers(0, 9).map(lambda n: [(b"__name__", b"up"), (b"host", b"h%d" % n)]),
    st.just([(b"__name__", b"up"), *((b"l%d" % n, b"x") for n in range(41))]),
)


@st.composite
def requests_1(draw: st.DrawFn) -> bytes:
    """Write a request of version 1 whose messages are valid, with whatever content."""
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        labels = [text(1, _label(*each)) for each in draw(labels_of)]
        samples = [text(2, each) for each in draw(st.lists(samples_of(), max_size=3))]
        rare = [
            text(n, each)
            for n, strategy in ((3, st.just(exemplar())), (4, histograms_of()))
            for each in (
                draw(st.lists(strategy, max_size=2)) if draw(st.integers(0, 3)) == 0 else []
            )
        ]
        parts.append(text(1, draw(several(st.just([*labels, *samples, *rare])))))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(["up", "a b", "", "x" * 256]))
        described = metadata_1(draw(st.integers(0, 9)), name, draw(st.text(max_size=3)), "s")
        parts.insert(draw(st.integers(0, len(parts))), text(3, described))
    return draw(several(st.just(parts)))


@st.composite
def requests_2(draw: st.DrawFn) -> bytes:
    """Write a request of version 2 whose messages are valid, with whatever content."""
    series = [
        series_2(
            draw(labels_of),
            *draw(st.lists(samples_of(), max_size=3)),
            histograms=draw(st.lists(histograms_of(), max_size=1)),
            exemplars=draw(st.sampled_from([0, 0, 0, 2])),
            metadata=draw(
                st.none() | st.tuples(st.integers(0, 9), st.text(max_size=3), st.just("s"))
            ),
            packed=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    if draw(st.integers(0, 3)) == 0:
        odd = draw(st.sampled_from([[0, 1, 2], [1, 99], [0, (1 << 32) - 1]]))
        references = text(1, b"".join(map(varint, odd)))
        series.append(lambda symbols: references + text(2, sample()))
    body = request_2(*series)
    first = draw(st.sampled_from([b"", b"", b"", text(4, b"x"), *([draw(unknown)])]))
    return first + body


@st.composite
def damaged(draw: st.DrawFn, originals: Bytes) -> bytes:
    """Replace, insert and remove a few bytes, and cut the rest off."""
    changed = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(changed)))
        match draw(st.integers(0, 3)):
            case 0:
                changed[at : at + 1] = draw(st.binary(min_size=1, max_size=2))
            case 1:
                changed[at:at] = draw(st.binary(min_size=1, max_size=3))
            case 2:
                del changed[at : at + draw(st.integers(1, 4))]
            case 3:
                del changed[at:]
    return bytes(changed)
