"""Samples in the chunks of Prometheus' storage (its documentation of the format, "XOR chunk data").

A chunk has the number of samples in two bytes and then bits: of the first sample the time and the
value, of the second the distance in time, of each later one how that distance changes, and of all
after the first the value's bits that change. Those bits may be in the place of the last ones that
changed or in a new place. Here the place is always new, which costs 11 bits for each value that
changes: then no sample depends on an earlier choice, and NumPy writes all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

MAX_SAMPLES = 120
"""Samples of a chunk, as Prometheus cuts them."""

Integers = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_CODES = ((14, 0b10, 2), (17, 0b110, 3), (20, 0b1110, 4))
"""How a change of distance is written: bits, prefix, and bits of the prefix."""

_WORD = np.uint64(64)


def xor_chunks(parts: Sequence[tuple[Integers, npt.NDArray[np.float64]]]) -> Sequence[bytes]:
    """Return a chunk for each part: times (ms, ascending) and values, at most MAX_SAMPLES."""
    counts = np.array([len(times) for times, _ in parts], np.int64)
    times = np.concatenate([times for times, _ in parts])
    bits = np.concatenate([values for _, values in parts]).view(np.uint64)
    firsts = np.cumsum(counts) - counts
    place = np.arange(len(times)) - np.repeat(firsts, counts)

    fields = [*_times(times, place), *_values(bits, place)]
    contents = np.stack([content for content, _ in fields], axis=1)
    sizes = np.stack([size for _, size in fields], axis=1)

    of_sample = sizes.sum(axis=1)
    of_chunk = 2 + (np.add.reduceat(of_sample, firsts) + 7) // 8  # in bytes
    ends = np.cumsum(of_chunk)
    begins = ends - of_chunk
    within = np.cumsum(of_sample) - of_sample
    starts = within - np.repeat(within[firsts] - 8 * (begins + 2), counts)
    offsets = starts[:, None] + np.cumsum(sizes, axis=1) - sizes

    written = sizes.ravel() > 0
    out = _packed(
        contents.ravel()[written], sizes.ravel()[written], offsets.ravel()[written], int(ends[-1])
    )
    out[begins] = counts >> 8
    out[begins + 1] = counts & 0xFF
    whole = out.data
    return [
        whole[begin:end].tobytes()
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]


_Field = tuple[Words, Integers]
"""A field of every sample: its content, and its size in bits."""


def _times(times: Integers, place: Integers) -> Sequence[_Field]:
    """Return the time in two fields, since the longest forms have more than 64 bits."""
    distance = np.diff(times, prepend=0)
    change = np.diff(distance, prepend=0)
    content, size = np.zeros(len(times), np.uint64), np.ones(len(times), np.int64)
    rest, rest_size = np.zeros(len(times), np.uint64), np.zeros(len(times), np.int64)
    left = change != 0
    for bits, prefix, prefix_bits in _CODES:
        fits = left & (change > -(1 << (bits - 1))) & (change <= 1 << (bits - 1))
        low = change[fits].view(np.uint64) & np.uint64((1 << bits) - 1)
        content[fits] = np.uint64(prefix << bits) | low
        size[fits] = prefix_bits + bits
        left &= ~fits
    content[left], size[left] = 0b1111, 4
    rest[left], rest_size[left] = change[left].view(np.uint64), 64

    for number, numbers in ((0, _zigzag(times)), (1, distance.view(np.uint64))):
        chosen = place == number
        (content[chosen], size[chosen]), (rest[chosen], rest_size[chosen]) = _varints(
            numbers[chosen]
        )
    return (content, size), (rest, rest_size)


def _zigzag(numbers: Integers) -> Words:
    return (numbers.view(np.uint64) << np.uint64(1)) ^ (numbers >> 63).view(np.uint64)


def _varints(numbers: Words) -> tuple[_Field, _Field]:
    """Return numbers as Go's `PutUvarint` writes them: up to eight bytes, and up to two more."""
    content, size = np.zeros(len(numbers), np.uint64), np.zeros(len(numbers), np.int64)
    rest, rest_size = np.zeros(len(numbers), np.uint64), np.zeros(len(numbers), np.int64)
    left, more = numbers.copy(), np.ones(len(numbers), bool)
    for place in range(10):
        septet = left & np.uint64(0x7F)
        left >>= np.uint64(7)
        byte = np.where(left > 0, septet | np.uint64(0x80), septet)
        into, sizes = (content, size) if place < 8 else (rest, rest_size)
        into[more] = (into[more] << np.uint64(8)) | byte[more]
        sizes[more] += 8
        more &= left > 0
    return (content, size), (rest, rest_size)


def _values(bits: Words, place: Integers) -> Sequence[_Field]:
    """Return where a value's changed bits are, and these bits; of the first sample all bits."""
    changed = bits.copy()
    changed[1:] ^= bits[:-1]
    first = place == 0
    # A power of two is exact as a float. Another number may be rounded up to the next one, which
    # makes one leading zero less: a bit more to write, but the same value.
    leading = np.clip(64 - np.frexp(changed.astype(np.float64))[1], 0, 31).astype(np.uint64)
    lowest = changed & (~changed + np.uint64(1))
    trailing = np.maximum(np.frexp(lowest.astype(np.float64))[1] - 1, 0).astype(np.uint64)
    size = _WORD - leading - trailing
    where = (np.uint64(0b11) << np.uint64(11)) | (leading << np.uint64(6)) | (size % _WORD)
    same = changed == 0
    where_size = np.where(first, 0, np.where(same, 1, 13))
    return (
        (np.where(same | first, np.uint64(0), where), where_size),
        (
            np.where(first, bits, changed >> trailing),
            np.where(first, 64, np.where(same, 0, size.astype(np.int64))),
        ),
    )


def _packed(
    contents: Words, sizes: Integers, offsets: Integers, size: int
) -> npt.NDArray[np.uint8]:
    """Return `size` bytes with fields of 1 to 64 bits at ascending, disjoint offsets in bits."""
    words = np.zeros(size // 8 + 2, np.uint64)
    word, room = offsets >> 6, 64 - (offsets & 63)
    over = sizes - room  # bits that belong to the next word
    shifted = np.where(
        over > 0,
        contents >> np.maximum(over, 0).astype(np.uint64),
        contents << np.maximum(-over, 0).astype(np.uint64),
    )
    starts = np.flatnonzero(np.diff(word, prepend=-1))
    words[word[starts]] = np.bitwise_or.reduceat(shifted, starts)
    (split,) = (over > 0).nonzero()
    words[word[split] + 1] |= contents[split] << (64 - over[split]).astype(np.uint64)
    return words.astype(">u8").view(np.uint8)[:size]
