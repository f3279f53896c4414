"""An import-linter contract: each part imports only the external packages on its list."""

from __future__ import annotations

import sys
from collections import defaultdict
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

STANDARD_LIBRARY = sys.stdlib_module_names | {"compression"}  # `compression` is new in Python 3.14


class ListsField(fields.Field[dict[str, frozenset[str]]]):
    """A table from a part, which is a module of ours, to its list of package names."""

    def parse(self, raw_data: Any) -> dict[str, frozenset[str]]:
        """Return the table; `ValidationError` if it is not one of lists of strings."""
        if not isinstance(raw_data, dict):
            raise fields.ValidationError("Expected a table of lists.")
        for part, packages in raw_data.items():
            if not isinstance(packages, list) or not all(isinstance(p, str) for p in packages):
                raise fields.ValidationError(f"Expected a list of package names for '{part}'.")
        return {part: frozenset(packages) for part, packages in raw_data.items()}


class ExternalPackagesContract(Contract):
    """Each module belongs to the longest part that contains it and may import what is listed there.

    Configuration options:
        - allowed: A table from each part to the top-level names of the external packages that it
                   imports. The standard library needs no entry. Imports within functions count.

    Broken by an import that is not on the list, by a listed package that the part does not import,
    by a part without modules, and by a module that belongs to no part and imports a package.
    """

    type_name = "external_packages"

    allowed = ListsField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Compare the lists with the imports in the graph."""
        allowed: dict[str, frozenset[str]] = self.allowed  # type: ignore[assignment]
        ours = {module for module in graph.modules if not graph.is_module_squashed(module)}
        used: dict[str, set[str]] = {part: set() for part in allowed}
        forbidden: dict[tuple[str, str], list[str]] = defaultdict(list)
        for module in sorted(ours):
            part = _part_of(module, allowed)
            for imported in sorted(graph.find_modules_directly_imported_by(module) - ours):
                package = imported.partition(".")[0]
                if package in STANDARD_LIBRARY:
                    continue
                if part is None or package not in allowed[part]:
                    forbidden[part or module, package].extend(_lines(graph, module, imported))
                if part is not None:
                    used[part].add(package)
        faults = [
            f"{part} may not import {package}: {', '.join(lines)}"
            for (part, package), lines in forbidden.items()
        ]
        for part in sorted(allowed):
            if part not in ours:
                faults.append(f"{part} is listed but does not exist")
            else:
                unused = sorted(allowed[part] - used[part])
                faults += [f"{part} lists {package} but does not import it" for package in unused]
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print one line per fault."""
        for fault in check.metadata["faults"]:
            output.print_error(f"- {fault}")
        output.new_line()


def _part_of(module: str, parts: dict[str, frozenset[str]]) -> str | None:
    containing = [part for part in parts if f"{module}.".startswith(f"{part}.")]
    return max(containing, key=len, default=None)


def _lines(graph: ImportGraph, importer: str, imported: str) -> list[str]:
    details = graph.get_import_details(importer=importer, imported=imported)
    return [f"{importer}:{detail['line_number']}" for detail in details]
