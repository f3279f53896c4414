"""Compiled code that is missing."""

from __future__ import annotations

from adapters.compiled_code import NotCompiled


def raise_not_compiled(*_: object) -> None:
    raise NotCompiled("Numba is not installed")
