"""The texts that compiled scans know, in arrays, and the functions that scans share.

A scan knows names, tag sets and series by their text as it was written. `KnownTexts` reads each new
text once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from adapters.compiled_code import compiled

NO_ROOM = -2
"""The result if there is no room for a new text."""

MAX_TEXTS = 1 << 17
MAX_BYTES = 8 << 20
"""Texts that are remembered, and their bytes. Past either, all are forgotten and read again."""

MAX_TEXT = 1 << 14
"""Bytes of a text that is scanned. The contract allows longer tags, which are decoded."""

PADDING = bytes(8)  # ends every loop, and allows reading eight bytes at any place
SLOTS = MAX_TEXTS * 2
_EIGHT = np.uint64(8)
_ZERO = np.uint64(ord("0"))
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)  # 2**64 over the golden ratio


class Texts(NamedTuple):
    """Texts as they are written, by number. Number 0 is reserved for no text."""

    content: NDArray[np.uint8]  # concatenated
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    slots: NDArray[np.int32]  # a hash table of numbers
    after: NDArray[np.int32]  # the number of the text that followed last time
    codes: NDArray[np.int32]  # of the text in the batch that `batches` says
    batches: NDArray[np.int64]
    numbers: NDArray[np.int64]  # a single one: how many texts there are
    seed: np.uint64  # of the hashes, so that nobody can choose texts that collide


@compiled
def word_at(data, at):  # type: ignore[no-untyped-def]
    """Return eight bytes as a number, which compiles to a single load."""
    at = np.uint64(at)  # unsigned, which saves a check for negative indexes
    word = np.uint64(data[at])
    for byte in range(1, 8):
        word |= np.uint64(data[at + np.uint64(byte)]) << np.uint64(8 * byte)
    return word


@compiled
def mask(length):  # type: ignore[no-untyped-def]
    """Return the bits of a word's first one to eight bytes."""
    return ~np.uint64(0) >> (_EIGHT * (_EIGHT - np.uint64(length)))


@compiled
def same(data, at, others, start, length):  # type: ignore[no-untyped-def]
    """Return whether two texts of at least one byte are equal."""
    at, start, length = np.uint64(at), np.uint64(start), np.uint64(length)
    while length > _EIGHT:
        if word_at(data, at) != word_at(others, start):
            return False
        at, start, length = at + _EIGHT, start + _EIGHT, length - _EIGHT
    return (word_at(data, at) ^ word_at(others, start)) & mask(length) == 0


@compiled
def matched(content, starts, number, body, at, size):  # type: ignore[no-untyped-def]
    """Return the length of a known text if the body has it at this place, else 0."""
    start = starts[number]
    length = starts[number + 1] - start
    return length if at + length <= size and same(body, at, content, start, length) else 0


@compiled
def digits(body, at, number):  # type: ignore[no-untyped-def]
    """Return a number with the digits from a place on appended to it, and where they end."""
    digit = np.uint64(body[at]) - _ZERO
    while digit < np.uint64(10):
        number = number * np.uint64(10) + digit
        at += 1
        digit = np.uint64(body[at]) - _ZERO
    return number, at


@compiled
def hash_of(data, at, length, seed):  # type: ignore[no-untyped-def]
    """Return the hash of a text."""
    found = seed ^ np.uint64(length)
    while length > 0:
        word = word_at(data, at)
        if length < 8:
            word &= mask(length)
        found = (found ^ word) * _MULTIPLIER
        found ^= found >> np.uint64(29)
        at, length = at + 8, length - 8
    return found


@compiled
def number_of(texts, data, at, length):  # type: ignore[no-untyped-def]
    """Return the number of a text, a new one if it is unknown; NO_ROOM if there is none for it."""
    content, starts, after = texts.content, texts.starts, texts.after
    hashes, slots, count = texts.hashes, texts.slots, texts.numbers
    wanted = hash_of(data, at, length, texts.seed)
    slot = np.int64(wanted >> np.uint64(32)) % SLOTS
    while slots[slot] > 0:
        found = np.int64(slots[slot])
        start = starts[found]
        if (
            hashes[found] == wanted
            and starts[found + 1] - start == length
            and same(data, at, content, start, length)
        ):
            return found
        slot = (slot + 1) % SLOTS
    new = count[0]
    start = starts[new]
    if new == MAX_TEXTS or start + length > MAX_BYTES:
        return np.int64(NO_ROOM)
    for byte in range(length):
        content[start + byte] = data[at + byte]
    starts[new + 1] = start + length
    hashes[new] = wanted
    slots[slot] = new
    after[new] = new
    count[0] = new + 1
    return new
