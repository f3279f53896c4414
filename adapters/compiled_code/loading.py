"""Loads object code with LLVM. Run as a process, it only checks that a file can be loaded."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

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

_engines: list[Any] = []  # they own the code, which is used until the process ends


@cache
def _prepare() -> Any:
    """Return LLVM's description of this machine's architecture."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    abort = ctypes.cast(ctypes.CDLL(None).abort, ctypes.c_void_p).value
    for symbol in _UNUSED_SYMBOLS:
        llvm.add_symbol(symbol, abort)
    return llvm.Target.from_default_triple()


def loaded(content: bytes) -> Any:
    """Return the function in a file's content: its symbol, a line feed, and its object code."""
    symbol, _, code = content.partition(b"\n")
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(""), _prepare().create_target_machine(jit=True)
    )
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol.decode())
    if not address:
        raise ImportError(f"the object code has no {symbol.decode()}")
    _engines.append(engine)
    return _Function(address)


if __name__ == "__main__":
    loaded(Path(sys.argv[1]).read_bytes())
