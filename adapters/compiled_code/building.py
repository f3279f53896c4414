"""Compiles a function to object code with Numba. Run as a process of its own, which then ends.

The code is for any processor of this machine's architecture. For that of this machine alone, it
would be no faster (measured with the scan of JSON), and an image could not be built elsewhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["NUMBA_CPU_NAME"] = "generic"
os.environ["NUMBA_CPU_FEATURES"] = ""

import numba
import numpy as np
from numba.core import cgutils, types
from numba.core.errors import NumbaError
from numba.extending import intrinsic

from adapters.compiled_code import cache
from adapters.compiled_code.frame import Layout, Parameter
from adapters.compiled_code.loading import packed

ENTRY = "cave_entry"
"""The name of the compiled function: it takes the bytes and the frame, and returns 0."""

MAX_MESSAGE = 500
"""Characters of an error of the compiler, which may have many lines."""


@intrinsic
def _pointer(_context: Any, address: Any) -> Any:
    """Return the pointer with an address that is a number."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


def object_code(modules: Sequence[ModuleType], function: str) -> tuple[str, bytes]:
    """Return the symbol of a function's entry, and its object code.

    The function is in the last module; whatever it calls is in one of them.
    """
    layout = Layout.of(getattr(modules[-1], function))
    _use_compiled(modules)
    names: dict[str, Any] = {
        "np": np,
        "carray": vars(numba)["carray"],
        "pointer": _pointer,
        "function": getattr(modules[-1], function),
    }
    exec(_entry_source(layout, names), names)  # noqa: S102  made here, from annotations
    options: dict[str, Any] = {"error_model": "numpy", "no_cpython_wrapper": True}
    signature = types.int64(types.voidptr, types.voidptr)
    entry: Any = numba.njit(signature, **options)(names[ENTRY])
    [compiled] = entry.overloads.values()
    code: bytes = compiled.library._get_compiled_object()  # noqa: SLF001  no other way leads to it
    return compiled.fndesc.llvm_func_name, code


def _use_compiled(modules: Sequence[ModuleType]) -> None:
    """Replace each marked function of modules by its compiled one, wherever it was imported."""
    dispatchers: dict[Callable[..., Any], Any] = {}
    for module in modules:
        for name, value in list(vars(module).items()):
            if getattr(value, "is_compiled", False):
                if value not in dispatchers:
                    dispatchers[value] = numba.njit(value, error_model="numpy")
                setattr(module, name, dispatchers[value])
    for function in dispatchers:
        if function.__module__ not in {module.__name__ for module in modules}:
            raise ValueError(f"{function.__module__} is not among the modules of the program")


def _entry_source(layout: Layout, names: dict[str, Any]) -> str:
    """Return the source of the entry: it makes the arguments from the frame, and calls."""
    slots = iter(range(layout.results, 1 << 16))
    length = next(slots)
    arguments = [f"carray(body, (frame[{length}],), np.uint8)"]
    arguments += [f"frame[{next(slots)}]" for _ in range(layout.numbers)]
    arguments += [_argument(each, slots, names) for each in layout.fixed]
    results = "".join(
        f"    frame[{number}] = found[{number}]\n" for number in range(layout.results)
    )
    return (
        f"def {ENTRY}(body, address):\n"
        f"    frame = carray(address, (1 << 16,), np.int64)\n"
        f"    found = function({', '.join(arguments)})\n"
        f"{results}"
        f"    return 0\n"
    )


def _argument(parameter: Parameter, slots: Iterator[int], names: dict[str, Any]) -> str:
    if parameter.fields:
        name = f"tuple_{len(names)}"
        names[name] = parameter.kind
        return f"{name}({', '.join(_argument(field, slots, names) for field in parameter.fields)})"
    if parameter.is_array:
        address, size = next(slots), next(slots)
        return f"carray(pointer(frame[{address}]), (frame[{size}],), np.{parameter.kind})"
    return f"np.{parameter.kind}(frame[{next(slots)}])"


def main(arguments: Sequence[str]) -> None:
    """Compile a function, and write its code to a file.

    The arguments are that file, the name of the cached file, the function and its modules. The
    code is loaded once in a process without Numba: there, missing symbols would end a worker.
    """
    output, name, function, *modules = arguments
    if cache.file_name(modules[-1], cache.source_files(modules)) != name:
        sys.exit("this Python finds the modules of another installation")
    try:
        symbol, code = object_code([*map(import_module, modules)], function)
    except NumbaError as error:
        sys.exit(" ".join(str(error).split())[:MAX_MESSAGE])
    Path(output).write_bytes(packed(symbol, code))
    check = (sys.executable, "-P", "-m", "adapters.compiled_code.loading", output)
    subprocess.run(check, check=True)  # noqa: S603  our own module


if __name__ == "__main__":
    main(sys.argv[1:])
