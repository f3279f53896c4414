"""A pytest plugin that hides every package that `make quick` does not install."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from types import ModuleType

MAKEFILE = Path(__file__).parents[2] / "Makefile"


def quick_packages() -> set[str]:
    """Return the names of the packages in the Makefile, and of those that they require."""
    found = re.search(r"^QUICK_PACKAGES := ((?:.*\\\n)*.*)$", MAKEFILE.read_text(), re.MULTILINE)
    assert found is not None
    wanted, known = re.findall(r"[^\s\\']+", found[1]), set[str]()
    while wanted:
        name = _normal(_named(wanted.pop()))
        if name not in known:
            known.add(name)
            wanted.extend(_required(name))
    return known


def _required(name: str) -> Iterator[str]:
    try:
        lines = requires(name) or []
    except PackageNotFoundError:
        return
    for line in lines:
        if "extra ==" not in line:
            yield _named(line)


def _named(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Hidden(MetaPathFinder):
    """Refuses the modules of all other packages that are installed."""

    def __init__(self) -> None:
        quick = quick_packages()
        self._hidden = {
            module
            for module, packages in packages_distributions().items()
            if not quick.intersection(map(_normal, packages)) and "cave" not in packages
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self._hidden:
            raise ModuleNotFoundError(f"{fullname} is not among QUICK_PACKAGES")
        return None


sys.meta_path.insert(0, Hidden())
