"""`compose` makes every use case, and nothing else does."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from msgspec import Struct

import application
from application import use_cases
from application.use_cases import (
    Commands,
    LogTools,
    ProjectionTools,
    Projector,
    RestoreTools,
    UseCases,
)

ROOT = Path(application.__file__).parents[1]
FOLDERS = ("adapters", "application", "domain", "entrypoints", "tests")


def handlers() -> set[type]:
    """Return the classes of the application whose names end in Handler."""
    modules = pkgutil.walk_packages(application.__path__, "application.")
    return {
        found
        for module in modules
        for name, found in vars(importlib.import_module(module.name)).items()
        if name.endswith("Handler") and inspect.isclass(found)
    }


def listed(group: type) -> Iterator[type]:
    """Yield the types of a group's fields, including those of its inner groups and tuples."""
    for hint in get_type_hints(group, vars(use_cases)).values():
        for kind in get_args(hint) or (hint,):
            yield kind
            if inspect.isclass(kind) and issubclass(kind, Struct):
                yield from listed(kind)


def test_the_list_of_use_cases_is_complete() -> None:
    found = handlers()
    assert len(found) > 10
    groups = (Commands, ProjectionTools, UseCases, Projector, LogTools, RestoreTools)
    assert found <= {kind for group in groups for kind in listed(group)}


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_handler_is_made_by_hand(folder: str) -> None:
    names = {handler.__name__ for handler in handlers()}
    named = re.compile("|".join(names)).search
    made = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / folder).rglob("*.py")
        if path != ROOT / "application/use_cases.py" and named(source := path.read_text())
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and (getattr(node.func, "id", None) in names or getattr(node.func, "attr", None) in names)
    ]
    assert made == []
