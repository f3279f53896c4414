"""Links object code to an image: bytes that run wherever they are, once addresses are put in.

LLVM can load object code, but takes 50 MB of each process that does, for good. An image takes a few
lines (`loading`). So object code is linked when it is compiled, if it is as simple as Numba's is on
x86-64: for LLVM's large code model, which refers to everything by addresses of 64 bits.

Source: the System V ABI, chapters 4 and 5, and its supplement for AMD64.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQq")
ADDRESS = struct.Struct("<Q")

_ELF64_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
_RELOCATABLE, _X86_64 = 1, 62
_PROGBITS, _SYMTAB, _RELA, _NOBITS = 1, 2, 4, 8
_WRITE, _ALLOC = 1, 2
_UNDEFINED, _RESERVED = 0, 0xFF00
_R_X86_64_64 = 1


class NotLinkable(Exception):
    """The object code is of another kind, and is to be loaded by LLVM."""


class External(NamedTuple):
    """A place in an image for the address of a symbol of the process, plus a number."""

    place: int
    symbol: str
    addend: int


class Image(NamedTuple):
    """Code and constants, with the offsets of its function and of the addresses in it.

    At each of `addresses` is an offset in the image, to which the image's own address is added.
    """

    code: bytes
    entry: int
    addresses: list[int]
    externals: list[External]


class _Section(NamedTuple):
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


class _Symbol(NamedTuple):
    name: str
    section: int
    value: int


def linked(code: bytes, symbol: str) -> Image:
    """Return the image of object code, whose function has this symbol. Raises NotLinkable."""
    sections = _sections(code)
    image, starts = _laid_out(code, sections)
    symbols = _symbols(code, sections)
    addresses, externals = [], []
    for section in sections:
        if section.kind != _RELA or section.info not in starts:
            continue
        for offset, about, addend in _records(_RELOCATION, code, section):
            place, kind = starts[section.info] + offset, about & 0xFFFFFFFF
            if kind != _R_X86_64_64:
                raise NotLinkable(f"relocation of type {kind}")
            target = symbols[about >> 32]
            if target.section == _UNDEFINED:
                externals.append(External(place, target.name, addend))
                continue
            ADDRESS.pack_into(image, place, _offset(target, starts) + addend)
            addresses.append(place)
    [entry] = [each for each in symbols if each.name == symbol]
    return Image(bytes(image), _offset(entry, starts), addresses, externals)


def _sections(code: bytes) -> list[_Section]:
    header = _HEADER.unpack_from(code)
    if not code.startswith(_ELF64_LITTLE_ENDIAN) or header[1:3] != (_RELOCATABLE, _X86_64):
        raise NotLinkable("no object code for x86-64")
    start, count = header[6], header[12]
    found = []
    for number in range(count):
        fields = _SECTION.unpack_from(code, start + number * _SECTION.size)
        _, kind, flags, _, offset, size, link, info, alignment, _ = fields
        found.append(_Section(kind, flags, offset, size, link, info, alignment))
    return found


def _laid_out(code: bytes, sections: list[_Section]) -> tuple[bytearray, dict[int, int]]:
    """Return the sections of code and constants one after another, and where each begins.

    Those about unwinding the stack are left out: the code raises no errors.
    """
    image = bytearray()
    starts = {}
    for number, section in enumerate(sections):
        if not section.flags & _ALLOC or not section.size:
            continue
        if section.flags & _WRITE or section.kind == _NOBITS:
            raise NotLinkable("variables")
        if section.kind != _PROGBITS:
            continue
        image += bytes(-len(image) % max(1, section.alignment))
        starts[number] = len(image)
        image += code[section.offset : section.offset + section.size]
    return image, starts


def _symbols(code: bytes, sections: list[_Section]) -> list[_Symbol]:
    [table] = [section for section in sections if section.kind == _SYMTAB]
    names = sections[table.link].offset
    found = []
    for name, _, _, section, value, _ in _records(_SYMBOL, code, table):
        start = names + name
        found.append(_Symbol(code[start : code.index(b"\0", start)].decode(), section, value))
    return found


def _records(kind: struct.Struct, code: bytes, section: _Section) -> Iterator[tuple[int, ...]]:
    return kind.iter_unpack(code[section.offset : section.offset + section.size])


def _offset(symbol: _Symbol, starts: dict[int, int]) -> int:
    if symbol.section not in starts:
        raise NotLinkable(f"{symbol.name} is neither code nor a constant")
    return starts[symbol.section] + symbol.value
