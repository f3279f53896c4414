"""A compiled function: finding its code or having it compiled, and calling it."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from array import array
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, Any

from adapters.compiled_code import cache

if TYPE_CHECKING:
    from adapters.compiled_code.frame import Layout

BUILD_SECONDS = 600.0


class NotCompiled(Exception):
    """There is no compiled code: Numba or LLVM is missing, or compiling failed."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function of a module as one that is compiled with those that call it."""
    function.is_compiled = True  # type: ignore[attr-defined]
    return function


class Program:
    """A function and the modules that it is made of, by name; the last one defines it.

    `frame` describes its annotations. It must not raise errors, and make no arrays.
    """

    def __init__(self, function: str, *modules: str) -> None:
        self._function = function
        self._modules = modules
        self._loaded: Any = None
        self._lock = Lock()

    @property
    def name(self) -> str:
        """The name of the module that defines the function."""
        return self._modules[-1]

    def load(self) -> Callable[..., BoundFunction]:
        """Return a function that binds arguments, as `BoundFunction` takes them.

        Compiles first if there is no code for this machine: that takes some seconds of another
        process. Raises NotCompiled.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = self._load()
        function = self._loaded
        from adapters.compiled_code.frame import Layout  # here, since NumPy is slow to load

        layout = Layout.of(getattr(import_module(self.name), self._function))
        return lambda *fixed: BoundFunction(function, layout, fixed)

    def _load(self) -> Any:
        try:
            from adapters.compiled_code.loading import loaded

            return loaded(self.build())
        except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
            raise NotCompiled(str(error)) from error

    def build(self) -> bytes:
        """Return the compiled code, from the cache if it is there. Raises NotCompiled, OSError."""
        sources = cache.source_files(self._modules)
        name = cache.file_name(self.name, sources)
        if (content := cache.found(name, sources[-1])) is not None:
            return content
        if find_spec("numba") is None:
            raise NotCompiled("Numba is not installed")
        with cache.writable(sources[-1]) as directory:
            if (content := cache.found(name, sources[-1])) is not None:
                return content
            content = self._compiled(name)
            if directory is not None:
                cache.keep(directory, name, content)
        return content

    def _compiled(self, name: str) -> bytes:
        with TemporaryDirectory(prefix="cave-") as directory:
            output = Path(directory) / "code"
            command = (sys.executable, "-P", "-m", "adapters.compiled_code.building")
            done = subprocess.run(  # noqa: S603  our own module
                [*command, str(output), name, self._function, *self._modules],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=BUILD_SECONDS,
                check=False,
            )
            if done.returncode:
                lines = done.stderr.strip().splitlines()
                raise NotCompiled(f"compiling failed: {lines[-1] if lines else done.returncode}")
            return output.read_bytes()


class BoundFunction:
    """A compiled function with those of its arguments that are the same for all calls.

    For one thread at a time. It keeps the global interpreter lock.
    """

    def __init__(self, function: Any, layout: Layout, fixed: tuple[Any, ...]) -> None:
        self._function = function
        self._fixed = fixed  # keeps the arrays
        self._frame = layout.frame(fixed)
        self._address = self._frame.buffer_info()[0]
        self._results = slice(layout.results)
        self._length = layout.results
        self._numbers = slice(layout.results + 1, layout.results + 1 + layout.numbers)
        self._count = layout.numbers
        self._result, self._error = ctypes.c_int64(), ctypes.c_void_p()
        self._places = ctypes.byref(self._result), ctypes.byref(self._error)

    def __call__(self, body: bytes, *numbers: int) -> list[int]:
        """Return the function's integers for a body and the integers of the call."""
        if len(numbers) != self._count:  # the frame would move
            raise TypeError(f"{len(numbers)} integers, not {self._count}")
        frame = self._frame
        frame[self._length] = len(body)
        frame[self._numbers] = array("q", numbers)
        if status := self._function(*self._places, body, self._address):
            raise RuntimeError(f"the compiled function failed with status {status}")
        return frame[self._results].tolist()
