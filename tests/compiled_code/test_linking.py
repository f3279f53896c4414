"""Object code is linked to an image that does what LLVM makes of it, or is left to LLVM."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.compiled_code import Program, loading
from adapters.compiled_code.frame import Layout
from adapters.compiled_code.linking import Image, NotLinkable, linked
from adapters.compiled_code.program import BoundFunction
from adapters.event_format import compiled_columns
from adapters.event_format.compiled_columns import PROGRAM as COLUMNS
from adapters.point_formats.compiled_scans import PROGRAMS

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="code for other processors is left to LLVM"
)

COMPILE = """
import sys
from adapters.compiled_code.building import object_code
from adapters.event_format import compiled_columns

symbol, code = object_code([compiled_columns], "write")
sys.stdout.buffer.write(symbol.encode() + b"\\n" + code)
"""

MACHINE = slice(18, 20)
X86_64_ADDRESS, SHORT_CALL = (1).to_bytes(4, "little"), (2).to_bytes(4, "little")


@pytest.fixture(scope="module")
def compiled() -> tuple[str, bytes]:
    """The symbol and the object code of the function that writes columns."""
    done = subprocess.run([sys.executable, "-P", "-c", COMPILE], check=True, capture_output=True)
    symbol, _, code = done.stdout.partition(b"\n")
    return symbol.decode(), code


@pytest.fixture
def without_linking(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Image:
        raise NotLinkable("for this test")

    monkeypatch.setattr(loading, "linked", refuse)


def written_by(function: Any) -> list[Any]:
    """Return what the function makes of some columns, in all its arrays."""
    values = array("d", [n / 8 for n in range(100)] + [-0.0, 0.1, 1e300])
    rows = len(values)
    times = array("q", [1_700_000_000_000 + n // 7 for n in range(rows)])
    names, tag_sets = array("B", [n % 3 for n in range(rows)]), array("H", range(rows))
    columns = compiled_columns.room_for(rows)
    bound = BoundFunction(function, Layout.of(compiled_columns.write), (columns, np.uint64(9)))
    body = b"".join((values, times, names, tag_sets))
    return [bound(body, rows, 3, 1, 300, 2, 1), *(each.tolist() for each in columns)]


def test_an_image_does_what_llvm_makes_of_the_code(
    compiled: tuple[str, bytes], request: pytest.FixtureRequest
) -> None:
    image = loading.packed(*compiled)
    found = written_by(loading.loaded(image))
    assert found[0][1] == 1
    request.getfixturevalue("without_linking")
    object_code = loading.packed(*compiled)
    assert object_code.endswith(compiled[1])
    assert written_by(loading.loaded(object_code)) == found


@pytest.mark.parametrize("of", [*PROGRAMS, COLUMNS], ids=lambda of: str(of.name))
def test_no_process_that_runs_compiled_code_needs_llvm(of: Program) -> None:
    of.build()
    code = (
        f"import sys; sys.modules['llvmlite'] = None\n"
        f"from {of.name} import PROGRAM\n"
        f"PROGRAM.load()\n"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True)


def test_an_image_s_memory_cannot_be_written_to(compiled: tuple[str, bytes]) -> None:
    loading.loaded(loading.packed(*compiled))
    image = loading._images[-1]
    address = ctypes.addressof(ctypes.c_char.from_buffer(image))
    for line in Path("/proc/self/maps").read_text().splitlines():
        region, permissions, *_ = line.split()
        first, last = (int(each, 16) for each in region.split("-"))
        if first <= address < last:
            assert permissions == "r-xp"
            return
    raise AssertionError("it is not in memory")


def of_another_processor(code: bytearray) -> None:
    code[MACHINE] = (183).to_bytes(2, "little")


def of_another_file_type(code: bytearray) -> None:
    code[:4] = b"\xcf\xfa\xed\xfe"


def with_a_relative_address(code: bytearray) -> None:
    """Change the type of a relocation: the first that is an address."""
    at = next(
        at
        for at in range(0, len(code) - 24, 8)
        if code[at + 8 : at + 12] == X86_64_ADDRESS
        and code[at + 12]
        and not any(code[at + 13 : at + 16])
    )
    code[at + 8 : at + 12] = SHORT_CALL


def with_a_variable(code: bytearray) -> None:
    """Make the code itself writable, as a section of variables is."""
    at = code.index((0x10000006).to_bytes(8, "little"))  # large, to be executed, in memory
    code[at] |= 1


@pytest.mark.parametrize(
    "change",
    [of_another_processor, of_another_file_type, with_a_relative_address, with_a_variable],
)
def test_code_of_any_other_kind_is_left_to_llvm(
    compiled: tuple[str, bytes], change: Callable[[bytearray], None]
) -> None:
    symbol, code = compiled
    changed = bytearray(code)
    change(changed)
    with pytest.raises(NotLinkable):
        linked(bytes(changed), symbol)
    assert loading.packed(symbol, bytes(changed)).endswith(bytes(changed))


def test_a_symbol_that_the_process_does_not_have_is_named(compiled: tuple[str, bytes]) -> None:
    content = loading.packed(*compiled).replace(b'"PyErr_Clear"', b'"PyErr_Cleax"')
    with pytest.raises(ImportError, match="PyErr_Cleax"):
        loading.loaded(content)
