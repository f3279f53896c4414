"""The compiled pass over the bytes of lines, and the arrays that it writes."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from numpy.typing import NDArray

from adapters.compiled_code import Program, compiled
from adapters.point_formats.scanned_texts import MAX_TEXT, Texts, digits, matched, number_of, same

DONE, ODD, FULL, TEXTS_FULL = 0, 1, 2, 3
"""How a scan ends: at the body's end, at a line that is not plain, without room for more, or
without room for more texts."""

NO_TIME = -1
"""The time of lines that have none."""

RECENT = 1 << 8
_GAVE_UP = -1
_POWERS = tuple(10.0**power for power in range(23))  # exact, as are integers up to 2**53
_EXACT = np.uint64(1 << 53)
_MAX_TIME = np.uint64((1 << 63) - 1)
_NEWLINE, _RETURN, _SPACE, _HASH, _COMMA, _EQUALS, _BACKSLASH = b"\n\r #,=\\"
_MINUS, _PLUS, _POINT, _ZERO, _E, _I, _U = b"-+.0eiu"
_TRUE, _FALSE = np.frombuffer(b"true", np.uint8), np.frombuffer(b"false", np.uint8)


class Columns(NamedTuple):
    """The result of a scan.

    Per point, the number of its series' text, the codes of its key and its time, and its value.
    `key_table` has pairs of places, of the keys that were seen, perhaps several of one key;
    `time_table` has times as sent.
    """

    series: NDArray[np.uint32]
    keys: NDArray[np.uint32]
    times: NDArray[np.uint32]
    values: NDArray[np.float64]
    key_table: NDArray[np.int64]  # pairs of places
    time_table: NDArray[np.int64]
    hard: NDArray[np.int64]  # (row, start, end) of each number left to `float`
    recent_keys: NDArray[np.int64]
    recent_times: NDArray[np.int64]


class Counts(NamedTuple):
    """How much a scan has read: points, keys, times and hard numbers; and its last series."""

    rows: int = 0
    keys: int = 0
    times: int = 0
    hard: int = 0
    last_series: int = 0


@compiled
def _word(body, at, word):  # type: ignore[no-untyped-def]
    """Return where a word ends whose first letter may be a capital, or the letter alone."""
    if body[at] | 0x20 != word[0]:
        return np.int64(_GAVE_UP)
    if body[at + 1] != word[1]:
        return at + 1
    for index in range(2, word.size):
        if body[at + index] != word[index]:
            return np.int64(_GAVE_UP)
    return at + word.size


@compiled
def _value(body, at):  # type: ignore[no-untyped-def]
    """Return a value, whether it is exact, where its number ends, and where it ends.

    A value ends at GAVE_UP if it is no plain number. It is exact if its digits and its power of ten
    are exact as floats: their product or quotient is then rounded only once.
    """
    end = _word(body, at, _TRUE)
    if end > 0:
        return 1.0, True, end, end
    end = _word(body, at, _FALSE)
    if end > 0:
        return 0.0, True, end, end
    negative = body[at] == _MINUS
    if negative:
        at += 1
    start = at
    mantissa, at = digits(body, at, np.uint64(0))
    written = at - start
    if written == 0:
        return 0.0, False, at, np.int64(_GAVE_UP)
    if body[at] == _I or body[at] == _U:
        if written > 18 or (negative and body[at] == _U):
            return 0.0, False, at, np.int64(_GAVE_UP)
        number = np.float64(mantissa)
        if negative and mantissa > np.uint64(0):
            number = -number
        return number, mantissa <= _EXACT, at, at + 1
    power = np.int64(0)
    if body[at] == _POINT:
        start = at + 1
        mantissa, at = digits(body, start, mantissa)
        if at == start:
            return 0.0, False, at, np.int64(_GAVE_UP)
        power = start - at
        written += at - start
    if (body[at] | 0x20) == _E:
        at += 1
        falls = body[at] == _MINUS
        if falls or body[at] == _PLUS:
            at += 1
        start = at
        exponent, at = digits(body, at, np.uint64(0))
        if at == start or at - start > 4:
            return 0.0, False, at, np.int64(_GAVE_UP)
        power += -np.int64(exponent) if falls else np.int64(exponent)
    number = np.float64(mantissa)
    exact = written <= 19 and mantissa <= _EXACT and -22 <= power <= 22
    if exact:
        number = number / _POWERS[-power] if power < 0 else number * _POWERS[power]
    return -number if negative else number, exact, at, at


@compiled
@no_type_check
def scan(
    body: NDArray[np.uint8],
    size: int,
    at: int,
    rows: int,
    keys: int,
    times: int,
    hard: int,
    last_series: int,
    texts: Texts,
    columns: Columns,
) -> tuple[int, int, int, int, int, int, int]:
    """Read plain lines from a place on; return how it ended, where, and what there is now.

    The integers from `rows` on are the `Counts` of what was read before that place. A line that is
    not plain leaves no point.

    Clients send the same series in the same order again and again. So a text is first compared
    with the one that followed its predecessor last time, which is faster than finding its end and
    hashing it. The text of a series includes the space behind it.
    """
    # Taken out of their tuple only once, because each access counts references.
    content, starts, after = texts.content, texts.starts, texts.after
    series, key_of, time_of = columns.series, columns.keys, columns.times
    values, left, key_table = columns.values, columns.hard, columns.key_table
    time_table = columns.time_table
    recent_keys, recent_times = columns.recent_keys, columns.recent_times
    at, line_start = np.int64(at), np.int64(at)
    end = DONE
    while at < size:
        if body[at] == _NEWLINE:
            at += 1
            continue
        if body[at] == _HASH:
            while at < size and body[at] != _NEWLINE:
                at += 1
            continue
        line_start, line_rows, line_hard = at, rows, hard
        end = ODD
        if body[at] <= _SPACE:  # before it is compared with text 0, which is a zero byte
            break
        number = last_series
        length = matched(content, starts, number, body, at, size)
        if length == 0:
            number = np.int64(after[last_series])
            length = matched(content, starts, number, body, at, size)
        if length == 0:
            while body[at] > _SPACE and body[at] != _BACKSLASH:
                at += 1
            length = at + 1 - line_start
            if body[at] != _SPACE or length == 1 or length > MAX_TEXT:
                break
            number = number_of(texts, body, line_start, length)
            if number < 0:
                end = TEXTS_FULL
                break
            after[last_series] = number
        last_series = number
        at = line_start + length - 1
        plain = True
        while plain:
            at += 1
            start = at
            place = np.int64(0)
            byte = body[at]
            while byte > _SPACE and byte != _EQUALS and byte != _COMMA and byte != _BACKSLASH:
                place = place * 31 + np.int64(byte)
                at += 1
                byte = body[at]
            length = at - start
            if byte != _EQUALS or length == 0 or length > MAX_TEXT:
                plain = False
                break
            if rows == values.size:
                end = FULL
                plain = False
                break
            place &= RECENT - 1
            code = recent_keys[place]
            if (
                code >= keys
                or key_table[2 * code + 1] - key_table[2 * code] != length
                or not same(body, start, body, key_table[2 * code], length)
            ):
                if 2 * keys == key_table.size:
                    end = FULL
                    plain = False
                    break
                code = np.int64(keys)
                recent_keys[place] = code
                key_table[2 * code], key_table[2 * code + 1] = start, at
                keys += 1
            value, exact, number_end, value_end = _value(body, at + 1)
            if value_end < 0:
                plain = False
                break
            if not exact:
                left[3 * hard], left[3 * hard + 1], left[3 * hard + 2] = rows, at + 1, number_end
                hard += 1
            series[rows], key_of[rows], values[rows] = number, code, value
            rows += 1
            at = value_end
            if body[at] != _COMMA:
                break
        if not plain:
            rows, hard = line_rows, line_hard
            at = line_start
            break
        time = np.int64(NO_TIME)
        if body[at] == _SPACE:
            start = at + 1
            sent, at = digits(body, start, np.uint64(0))
            if at == start or at > start + 19 or sent > _MAX_TIME:
                rows, hard, at = line_rows, line_hard, line_start
                break
            time = np.int64(sent)
        if body[at] == _RETURN:
            at += 1
        if at < size and body[at] != _NEWLINE:
            rows, hard, at = line_rows, line_hard, line_start
            break
        place = time & (RECENT - 1)
        code = recent_times[place]
        if code >= times or time_table[code] != time:
            code = np.int64(times)
            recent_times[place] = code
            time_table[code] = time
            times += 1
        for row in range(line_rows, rows):
            time_of[row] = code
        at += 1
        end = DONE
    if end != DONE:
        at = line_start
    return end, at, rows, keys, times, hard, last_series


PROGRAM = Program("scan", "adapters.point_formats.scanned_texts", __name__)
