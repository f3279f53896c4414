"""Loads object code with LLVM, where it could not be linked to an image (`linking`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import llvmlite.binding as llvm

_engines: list[Any] = []  # they own the code, which is used until the process ends


@cache
def _target() -> Any:
    """Return LLVM's description of this machine's architecture."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


def address_of(symbol: str, code: bytes, symbols: Mapping[str, int]) -> int:
    """Return the address of a function in object code, 0 if it is not there.

    `symbols` are addresses of what the process itself does not have.
    """
    for name, of_symbol in symbols.items():
        llvm.add_symbol(name, of_symbol)
    engine = llvm.create_mcjit_compiler(
        llvm.parse_assembly(""), _target().create_target_machine(jit=True)
    )
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    address: int = engine.get_function_address(symbol)
    return address
