"""Functions are compiled once, by another process, and do what their Python does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from adapters.compiled_code import NotCompiled, Program, cache, program
from adapters.point_formats.compiled_scans import PROGRAMS

LIBRARY = """
from adapters.compiled_code import compiled


@compiled
def weighed(byte, weight):
    return int(byte) * weight
"""

SOURCE = """
from typing import NamedTuple, no_type_check

import numpy as np
from numpy.typing import NDArray

from adapters.compiled_code import compiled
from {package}.library import weighed


class Places(NamedTuple):
    found: NDArray[np.int32]
    seed: np.uint64


@compiled
@no_type_check
def marked(
    body: NDArray[np.uint8], byte: int, start: int, places: Places, sums: NDArray[np.float64]
) -> tuple[int, int]:
    count = 0
    for at in range(start, body.size):
        if body[at] == byte:
            places.found[count] = at
            count += 1
        sums[0] += weighed(body[at], 0.5)
    return count, np.int64(places.seed >> np.uint64(60))
"""

BODY = b"a-b-c" * 50
SEED = 0xFEDC_BA98_7654_3210


class Sources:
    """A package with a program's two modules, which other processes find as well."""

    def __init__(self, directory: Path) -> None:
        self.package = f"sample_{directory.parent.name}_{directory.name}".replace("-", "_")
        self.directory = directory / self.package
        self.directory.mkdir()
        (self.directory / "__init__.py").touch()
        self.write(LIBRARY, SOURCE)

    def write(self, library: str, source: str) -> None:
        (self.directory / "library.py").write_text(library)
        (self.directory / "source.py").write_text(source.format(package=self.package))
        for name in [name for name in sys.modules if name.startswith(self.package)]:
            del sys.modules[name]

    def program(self) -> Program:
        return Program("marked", f"{self.package}.library", f"{self.package}.source")

    def module(self) -> ModuleType:
        return import_module(f"{self.package}.source")

    def kept(self) -> list[str]:
        return [file.name for file in (self.directory / "__pycache__").glob("*.o")]


@pytest.fixture(scope="module")
def unchanged() -> Iterator[Sources]:
    """Sources that no test changes, so that they are compiled once."""
    with TemporaryDirectory(prefix="cave-") as directory, pytest.MonkeyPatch.context() as patch:
        yield reachable(Path(directory), patch)


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    return reachable(tmp_path, monkeypatch)


def reachable(directory: Path, patch: pytest.MonkeyPatch) -> Sources:
    patch.syspath_prepend(directory)
    patch.setenv("PYTHONPATH", str(directory))
    patch.setenv("XDG_CACHE_HOME", str(directory / "caches"))
    return Sources(directory)


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Compile nothing, but return what would be compiled, in order."""
    made: list[bytes] = []

    def compile_(_: Program, name: str) -> bytes:
        made.append(b"code %d" % len(made))
        return made[-1]

    monkeypatch.setattr(Program, "_compiled", compile_)
    return made


def arguments(module: ModuleType) -> tuple[Any, Any]:
    return module.Places(np.zeros(300, np.int32), np.uint64(SEED)), np.zeros(1)


def test_a_compiled_function_does_what_its_source_does(unchanged: Sources) -> None:
    module = unchanged.module()
    places, sums = arguments(module)
    bound = unchanged.program().load()(places, sums)
    assert bound(BODY, ord("-"), 7) == [97, SEED >> 60]
    expected = arguments(module)
    assert module.marked(np.frombuffer(BODY, np.uint8), ord("-"), 7, *expected) == (97, SEED >> 60)
    assert (places.found == expected[0].found).all()
    assert sums == expected[1] > 0


def test_a_change_of_any_module_compiles_again(sources: Sources, compilations: list[bytes]) -> None:
    for library, source in (
        (LIBRARY, SOURCE),
        (LIBRARY + "# changed", SOURCE),
        (LIBRARY, SOURCE + "# changed"),
    ):
        sources.write(library, source)
        assert sources.program().build() == sources.program().build() == compilations[-1]
        assert len(sources.kept()) == 1, "what is outdated is deleted"
    assert len(compilations) == 3


def test_what_was_compiled_needs_no_compiler(
    unchanged: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    unchanged.program().build()
    monkeypatch.setattr(program, "find_spec", without("numba"))
    places, sums = arguments(unchanged.module())
    assert unchanged.program().load()(places, sums)(b"--", ord("-"), 0)[0] == 2


def test_without_a_compiler_nothing_is_compiled(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "find_spec", without("numba"))
    with pytest.raises(NotCompiled, match="Numba is not installed"):
        sources.program().load()


def test_where_the_source_is_read_only_code_is_kept_in_the_user_s_cache(
    sources: Sources, tmp_path: Path, compilations: list[bytes]
) -> None:
    (sources.directory / "__pycache__").touch()
    assert sources.program().build() == sources.program().build() == compilations[0]
    [kept] = (tmp_path / "caches" / "cave").glob("*.o")
    assert kept.read_bytes() == compilations[0]


def test_kept_code_can_be_read_by_other_users(sources: Sources, compilations: list[bytes]) -> None:
    assert sources.program().build() == compilations[0]
    [kept] = (sources.directory / "__pycache__").glob("*.o")
    assert kept.stat().st_mode & 0o777 == 0o644


def test_without_a_place_to_keep_it_code_is_compiled_each_time(
    sources: Sources, tmp_path: Path, compilations: list[bytes]
) -> None:
    for place in (sources.directory / "__pycache__", tmp_path / "caches"):
        place.touch()
    assert [sources.program().build(), sources.program().build()] == compilations
    assert len(compilations) == 2


def test_a_function_that_does_not_compile_is_named(sources: Sources) -> None:
    sources.write(LIBRARY, SOURCE.replace("count = 0", "count = unknown"))
    with pytest.raises(NotCompiled, match=r"compiling failed: .*unknown"):
        sources.program().load()
    assert not sources.kept()


def test_code_of_other_sources_than_those_that_ask_for_it_is_refused(
    unchanged: Sources, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the other process found another installation."""
    files = cache.source_files((f"{unchanged.package}.source",))
    monkeypatch.setattr(cache, "source_files", lambda _: files)
    with pytest.raises(NotCompiled, match="the modules of another installation"):
        sources.program().build()


@pytest.mark.parametrize("numbers", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_integers_is_refused(
    unchanged: Sources, numbers: tuple[int, ...]
) -> None:
    bound = unchanged.program().load()(*arguments(unchanged.module()))
    with pytest.raises(TypeError, match=f"{len(numbers)} integers, not 2"):
        bound(b"", *numbers)
    assert bound(b"-", ord("-"), 0)[0] == 1


@pytest.mark.parametrize("found", [np.zeros(9, np.int64), np.zeros(9, np.int32)[::2]])
def test_an_array_of_another_layout_is_refused(unchanged: Sources, found: Any) -> None:
    places, sums = arguments(unchanged.module())
    with pytest.raises(TypeError, match="not contiguous int32"):
        unchanged.program().load()(places._replace(found=found), sums)


@pytest.mark.parametrize("of", PROGRAMS, ids=lambda of: str(of.name).split(".")[-2])
def test_no_process_that_scans_loads_the_compiler(of: Program) -> None:
    of.build()
    code = (
        f"import sys; sys.modules['numba'] = None\n"
        f"from {of.name} import PROGRAM\n"
        f"PROGRAM.load()\n"
        f"assert sys.modules['numba'] is None"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_the_name_of_kept_code_depends_on_all_that_makes_it(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def name() -> str:
        files = cache.source_files((f"{sources.package}.library", f"{sources.package}.source"))
        return cache.file_name("marked", files)

    names = {name()}
    sources.write(LIBRARY + "\n", SOURCE)
    names.add(name())
    monkeypatch.setattr(cache, "version", lambda _: "0")
    names.add(name())
    assert len(names) == 3


def without(missing: str) -> Callable[[str], Any]:
    return lambda name: None if name == missing else find_spec(name)
