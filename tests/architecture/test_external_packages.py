"""The contract that checks which external packages each part imports."""

from __future__ import annotations

import pytest
from grimp import ImportGraph, build_graph
from importlinter.domain.contract import InvalidContractOptions

from tests.architecture.external_packages import ExternalPackagesContract

MODULES = {
    "house.__init__": "",
    "house.hall": "import os\nfrom compression import zstd\nimport house.room.bed",
    "house.room.__init__": "import numpy.typing\nfrom . import bed",
    "house.room.bed": "def sleep():\n    from pyarrow.parquet import read_table",
}
LISTS = {"house": [], "house.room": ["numpy", "pyarrow"]}


@pytest.fixture(name="graph", scope="module")
def build_graph_of_house(tmp_path_factory: pytest.TempPathFactory) -> ImportGraph:
    root = tmp_path_factory.mktemp("code")
    for name, source in MODULES.items():
        path = root / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        return build_graph("house", include_external_packages=True, cache_dir=None)


def faults(graph: ImportGraph, allowed: object) -> list[str]:
    options = {"allowed": allowed}
    check = ExternalPackagesContract("packages", {}, options).check(graph, verbose=False)
    assert check.kept is not bool(check.metadata["faults"])
    return list(check.metadata["faults"])


def test_imports_that_are_listed_and_the_standard_library_are_allowed(graph: ImportGraph) -> None:
    assert faults(graph, LISTS) == []


def test_an_import_that_is_not_listed_is_reported_with_its_line(graph: ImportGraph) -> None:
    assert faults(graph, {**LISTS, "house.room": ["numpy"]}) == [
        "house.room may not import pyarrow: house.room.bed:2"
    ]


def test_a_list_does_not_apply_to_a_part_of_its_own(graph: ImportGraph) -> None:
    assert faults(graph, {"house": ["numpy", "pyarrow"], "house.room": []}) == [
        "house.room may not import numpy: house.room:1",
        "house.room may not import pyarrow: house.room.bed:2",
        "house lists numpy but does not import it",
        "house lists pyarrow but does not import it",
    ]


def test_a_listed_package_that_nobody_imports_is_reported(graph: ImportGraph) -> None:
    assert faults(graph, {**LISTS, "house.hall": ["redis"]}) == [
        "house.hall lists redis but does not import it"
    ]


def test_a_part_that_does_not_exist_is_reported(graph: ImportGraph) -> None:
    assert faults(graph, {**LISTS, "house.roo": []}) == ["house.roo is listed but does not exist"]


def test_a_module_without_a_list_may_import_nothing(graph: ImportGraph) -> None:
    assert faults(graph, {"house.room.bed": ["pyarrow"]}) == [
        "house.room may not import numpy: house.room:1"
    ]


@pytest.mark.parametrize("lists", ["numpy", {"house": "numpy"}, {"house": [1]}])
def test_what_is_no_table_of_lists_is_refused(lists: object) -> None:
    with pytest.raises(InvalidContractOptions):
        ExternalPackagesContract("packages", {}, {"allowed": lists})
