"""Loads a compiled function. Run as a process, it only checks that a file can be loaded."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import sys
from pathlib import Path
from typing import Any

from adapters.compiled_code.linking import ADDRESS, External, Image, NotLinkable, linked

_UNUSED_SYMBOLS = (
    "NRT_Free",
    "NRT_MemInfo_call_dtor",
    "numba_do_raise",
    "numba_gil_ensure",
    "numba_gil_release",
    "numba_runtime_build_excinfo_struct",
    "numba_unpickle",
)
"""Functions of Numba's runtime that the code names and never calls: it raises no errors, and all
arrays are the caller's."""

_Function = ctypes.PYFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
)
"""Numba's calling convention: places for a result and an error, and then the arguments."""

_PAGE_READ_EXECUTE = mmap.PROT_READ | mmap.PROT_EXEC
_images: list[mmap.mmap] = []  # they are used until the process ends


def packed(symbol: str, code: bytes) -> bytes:
    """Return a file's content: a line about the code, and its image, or else the object code."""
    try:
        image = linked(code, symbol)
    except NotLinkable:
        return json.dumps({"symbol": symbol}).encode() + b"\n" + code
    about = {name: value for name, value in image._asdict().items() if name != "code"}
    return json.dumps(about).encode() + b"\n" + image.code


def loaded(content: bytes) -> Any:
    """Return the function in a file's content. Raises ImportError, OSError."""
    line, _, code = content.partition(b"\n")
    about = json.loads(line)
    if "symbol" not in about:
        externals = [External(*each) for each in about["externals"]]
        return _Function(_placed(Image(code, about["entry"], about["addresses"], externals)))
    from adapters.compiled_code.llvm_loading import address_of  # here, since it takes 50 MB

    address = address_of(about["symbol"], code, dict.fromkeys(_UNUSED_SYMBOLS, _address("abort")))
    if not address:
        raise ImportError(f"the object code has no {about['symbol']}")
    return _Function(address)


def _placed(image: Image) -> int:
    """Put an image into memory, and return the address of its function."""
    memory = mmap.mmap(-1, len(image.code), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.write(image.code)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for place in image.addresses:
        ADDRESS.pack_into(memory, place, start + ADDRESS.unpack_from(memory, place)[0])
    for place, symbol, addend in image.externals:
        used = "abort" if symbol in _UNUSED_SYMBOLS else symbol
        ADDRESS.pack_into(memory, place, _address(used) + addend)
    library = ctypes.CDLL(None, use_errno=True)
    where = ctypes.c_void_p(start), ctypes.c_size_t(len(image.code))
    if library.mprotect(*where, _PAGE_READ_EXECUTE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _images.append(memory)
    return start + image.entry


def _address(symbol: str) -> int:
    """Return the address of a symbol of this process. Raises ImportError."""
    try:
        found = getattr(ctypes.CDLL(None), symbol)
    except AttributeError as error:
        raise ImportError(f"this process has no {symbol}") from error
    return ctypes.cast(found, ctypes.c_void_p).value or 0


if __name__ == "__main__":
    loaded(Path(sys.argv[1]).read_bytes())
