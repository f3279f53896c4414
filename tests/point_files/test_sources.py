"""Sources of points: files, and anything that can be read once."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from adapters.point_files import STANDARD_INPUT, Format, opened_points, point_writer
from application.event_log.receipts import Receipt
from application.reading.ports import PointRow
from tests.point_files.support import read

POINTS = 500  # more than a pipe holds


@pytest.fixture(params=Format)
def form(request: pytest.FixtureRequest) -> Format:
    return Format(request.param)


@pytest.fixture
def file(tmp_path: Path, form: Format) -> Path:
    path = tmp_path / f"points.{form.value}"
    tags = {"host": "a" * 1000}
    with path.open("wb") as output, point_writer(form, output) as writer:
        writer.write(
            [
                PointRow("orders", 1398788625000 + i, i / 7, tags, Receipt(0, 1, 0), i)
                for i in range(POINTS)
            ]
        )
    return path


@contextmanager
def written(content: bytes, open_output: Callable[[], int]) -> Iterator[None]:
    """Write to the output that `open_output` opens, during the block."""

    def write() -> None:
        with os.fdopen(open_output(), "wb") as output:
            output.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def pipe(content: bytes) -> Iterator[int]:
    reading, writing = os.pipe()
    try:
        with written(content, lambda: writing):
            yield reading
    finally:
        os.close(reading)


@contextmanager
def socket_pair(content: bytes) -> Iterator[int]:
    ours, theirs = socket.socketpair()
    with ours, written(content, theirs.detach):
        yield ours.fileno()


@pytest.mark.parametrize("stream", [pipe, socket_pair])
@pytest.mark.parametrize("place", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_an_open_stream_is_read_once(file: Path, form: Format, stream: object, place: str) -> None:
    assert callable(stream)
    with stream(file.read_bytes()) as number:
        path = Path(place.format(number))
        with opened_points(path, form) as source:
            assert (source.total is None, source.path) == (form is not Format.PARQUET, None)
            assert sum(len(batch.items) for batch in source.batches(100)) == POINTS


def test_a_named_pipe_is_opened_once(tmp_path: Path, file: Path, form: Format) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with written(file.read_bytes(), lambda: os.open(fifo, os.O_WRONLY)):
        assert read(fifo, form, 100) == read(file, form, 100)


@pytest.mark.parametrize("name", [str(STANDARD_INPUT), "/dev/stdin"])
def test_standard_input_is_read(file: Path, form: Format, name: str) -> None:
    saved = os.dup(0)
    try:
        with pipe(file.read_bytes()) as number:
            os.dup2(number, 0)
            assert read(Path(name), form, 100) == read(file, form, 100)
        with file.open("rb") as redirected:
            os.dup2(redirected.fileno(), 0)
            with opened_points(Path(name), form) as source:
                assert source.path == str(file)
                assert source.total is not None
                assert sum(len(batch.items) for batch in source.batches(100)) == POINTS
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def test_a_file_is_identified_by_its_path_under_any_name(
    tmp_path: Path, file: Path, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "latest"
    link.symlink_to(file)
    monkeypatch.chdir(tmp_path)
    for name in (file, Path(file.name), Path("..") / tmp_path.name / file.name, link):
        with opened_points(name, form) as source:
            assert source.path == str(file)
            assert source.total == POINTS + (form is Format.CSV)


def test_a_directory_or_missing_file_is_an_os_error(tmp_path: Path, form: Format) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(OSError, match=str(path)), opened_points(path, form):
            pass
