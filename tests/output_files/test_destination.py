"""Output is written to what the path refers to, completely or not at all."""

from __future__ import annotations

import errno
import os
import pty
import signal
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from adapters.output_files import is_standard_output, is_terminal, part, written
from entrypoints.cli.context import terminated_in_order
from entrypoints.stop_signals import ENDING

NEW = b"new\n"
NOBODY = 65534


@pytest.fixture(params=["without a name", "with a hidden name"])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds of incomplete files, whatever this machine supports."""
    if request.param == "with a hidden name":
        monkeypatch.setattr(part, "UNNAMED", "/nowhere")
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no files without a name")


def write(path: object, content: bytes = NEW) -> None:
    with written(str(path)) as file:
        file.write(content)


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A directory in which this process may not create files, with a file that it may write."""
    with TemporaryDirectory(dir="/tmp") as name:
        directory = Path(name)
        file = directory / "out"
        file.write_bytes(b"older and longer")
        file.chmod(0o666)
        directory.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield file
        finally:
            if root:
                os.seteuid(0)
            directory.chmod(0o755)


@pytest.mark.usefixtures("parts")
class TestRegularFiles:
    @pytest.mark.parametrize("name", ["out", "o" * 255, "é" * 127, "-", ".hidden", " "])
    @pytest.mark.parametrize("exists", [False, True])
    def test_any_name_is_written(self, tmp_path: Path, name: str, exists: bool) -> None:
        path = tmp_path / name
        if exists:
            path.write_bytes(b"older and longer")
        write(path)
        assert path.read_bytes() == NEW
        assert os.listdir(tmp_path) == [name]  # noqa: PTH208  names alone

    def test_a_new_file_has_the_default_mode(self, tmp_path: Path) -> None:
        for mask in (0o022, 0o077):
            before = os.umask(mask)
            try:
                write(tmp_path / f"{mask}")
            finally:
                os.umask(before)
            assert stat.S_IMODE((tmp_path / f"{mask}").stat().st_mode) == 0o666 & ~mask

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
    def test_mode_owner_and_attributes_are_kept(self, tmp_path: Path, mode: int) -> None:
        path = tmp_path / "out"
        path.write_bytes(b"older")
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        attributes = _with_attributes(path)
        before = path.stat()
        write(path)
        after = path.stat()
        assert path.read_bytes() == NEW
        assert after.st_ino != before.st_ino, "it was replaced"
        assert [getattr(after, name) for name in ("st_mode", "st_uid", "st_gid")] == [
            getattr(before, name) for name in ("st_mode", "st_uid", "st_gid")
        ]
        assert _attributes(path) == attributes

    def test_it_appears_atomically_once_it_is_complete(self, tmp_path: Path) -> None:
        fresh, existing = tmp_path / "fresh", tmp_path / "existing"
        existing.write_bytes(b"older")
        with written(str(fresh)) as one, written(str(existing)) as other:
            for file in (one, other):
                file.write(NEW * 100_000)
                file.flush()
            assert not fresh.exists()
            assert existing.read_bytes() == b"older"
        assert fresh.read_bytes() == existing.read_bytes() == NEW * 100_000

    @pytest.mark.parametrize("target", ["real/out", "../{here}/real/out", "{absolute}/real/out"])
    @pytest.mark.parametrize("dangling", [False, True])
    @pytest.mark.parametrize("links", [1, 2, 5])
    def test_links_are_followed(
        self,
        tmp_path: Path,
        target: str,
        dangling: bool,
        links: int,
    ) -> None:
        real = tmp_path / "real" / "out"
        real.parent.mkdir()
        if not dangling:
            real.write_bytes(b"older")
        to = target.format(here=tmp_path.name, absolute=tmp_path)
        for number in range(links):
            link = tmp_path / f"link{number}"
            link.symlink_to(to)
            to = link.name
        write(link)
        assert real.read_bytes() == NEW
        assert all((tmp_path / f"link{number}").is_symlink() for number in range(links))
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            *(f"link{number}" for number in range(links)), "real",
        ]  # fmt: skip
        assert list(real.parent.iterdir()) == [real]

    def test_a_path_through_a_linked_directory_is_resolved_like_the_system_does(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "link").symlink_to("a/b")
        write(tmp_path / "link" / ".." / "out")
        assert (tmp_path / "a" / "out").read_bytes() == NEW

    def test_all_names_of_a_file_still_refer_to_the_same_file_afterwards(
        self, tmp_path: Path
    ) -> None:
        one, other = tmp_path / "one", tmp_path / "other"
        one.write_bytes(b"older and longer")
        other.hardlink_to(one)
        write(one)
        assert other.read_bytes() == NEW
        assert one.samefile(other)

    def test_a_file_that_cannot_be_replaced_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """For example a mount point, or another user's file in a sticky directory."""
        path = tmp_path / "out"
        path.write_bytes(b"older and longer")
        inode = path.stat().st_ino
        monkeypatch.setattr(os, "replace", _refuse(errno.EBUSY))
        write(path)
        assert (path.read_bytes(), path.stat().st_ino) == (NEW, inode)
        assert list(tmp_path.iterdir()) == [path]

    def test_a_file_whose_owner_cannot_be_copied_is_written(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "out"
        path.write_bytes(b"older and longer")
        inode = path.stat().st_ino
        monkeypatch.setattr(os, "fchmod", _refuse(errno.EPERM))
        write(path)
        assert (path.read_bytes(), path.stat().st_ino) == (NEW, inode)
        assert list(tmp_path.iterdir()) == [path]

    def test_a_file_in_a_directory_that_accepts_no_new_file_is_written(
        self, unwritable: Path
    ) -> None:
        write(unwritable)
        assert unwritable.read_bytes() == NEW
        assert list(unwritable.parent.iterdir()) == [unwritable]

    def test_that_file_is_unchanged_if_the_block_fails(self, unwritable: Path) -> None:
        with pytest.raises(ZeroDivisionError):
            _fail_within(unwritable, ZeroDivisionError())
        assert unwritable.read_bytes() == b"older and longer"

    def test_a_file_that_may_not_be_written_is_not_replaced(self, unwritable: Path) -> None:
        root = os.geteuid() != os.getuid()
        os.seteuid(os.getuid())
        unwritable.parent.chmod(0o777)
        unwritable.chmod(0o444)
        if root:
            os.seteuid(NOBODY)
        with pytest.raises(PermissionError):
            write(unwritable)
        assert unwritable.read_bytes() == b"older and longer"

    @pytest.mark.parametrize("existing", [None, b"precious"])
    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.ENOSPC, "No space left on device"),
            BrokenPipeError(),
            KeyboardInterrupt(),
            ZeroDivisionError(),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_nothing_is_left_if_the_block_fails(
        self, tmp_path: Path, error: BaseException, existing: bytes | None
    ) -> None:
        path = tmp_path / "out"
        if existing is not None:
            path.write_bytes(existing)
        with pytest.raises(type(error)):
            _fail_within(path, error)
        assert [p.read_bytes() for p in tmp_path.iterdir()] == [existing] * (existing is not None)

    @pytest.mark.parametrize("when", ["fsync", "replace"])
    def test_nothing_is_left_if_the_file_cannot_be_completed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
    ) -> None:
        monkeypatch.setattr(os, when, _refuse(errno.ENOSPC))
        with pytest.raises(OSError, match="refused"):
            write(tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    def test_nothing_is_left_if_the_last_bytes_do_not_fit(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The buffer is written when the file is flushed, and once more when it is closed."""
        opened = os.fdopen

        def full(descriptor: int, mode: str) -> object:
            os.close(descriptor)
            return opened(os.open("/dev/full", os.O_RDWR), mode)

        monkeypatch.setattr(os, "fdopen", full)
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path / "out")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("number", ENDING)
    def test_nothing_is_left_by_a_signal_that_can_be_handled(
        self, tmp_path: Path, number: signal.Signals
    ) -> None:
        def work() -> None:
            with terminated_in_order(), written(str(tmp_path / "out")) as file:
                file.write(NEW)
                signal.raise_signal(number)

        with pytest.raises((SystemExit, KeyboardInterrupt)):
            work()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files have names from the start")
def test_an_incomplete_file_has_no_name_that_sigkill_could_leave_behind(tmp_path: Path) -> None:
    with written(str(tmp_path / "out")) as file:
        file.write(NEW)
        file.flush()
        assert list(tmp_path.iterdir()) == []


class TestOthers:
    def test_a_pipe_is_written_into(self, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        read: list[bytes] = []
        reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
        reader.start()
        write(fifo)
        reader.join()
        assert (read, fifo.is_fifo()) == ([NEW], True)

    def test_a_link_to_a_device_is_written_into(self, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to("/dev/null")
        write(link)
        write("/dev/null")
        assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
        assert link.is_symlink()

    def test_a_full_device_is_an_error(self) -> None:
        with pytest.raises(OSError, match="No space left"):
            write("/dev/full")

    @pytest.mark.parametrize("spelling", ["/dev/fd/{}", "/proc/self/fd/{}"])
    def test_an_open_file_is_written_at_its_position(self, tmp_path: Path, spelling: str) -> None:
        """As with a redirected /dev/stdout: later output follows it."""
        path = tmp_path / "out"
        with path.open("wb", buffering=0) as opened:
            opened.write(b"before\n")
            write(spelling.format(opened.fileno()))
            opened.write(b"after\n")
        assert path.read_bytes() == b"before\nnew\nafter\n"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_dash_is_standard_output(self, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
        write("-")
        write("/dev/stdout")
        assert capfdbinary.readouterr().out == NEW * 2

    def test_a_loop_of_links_and_a_directory_are_errors(self, tmp_path: Path) -> None:
        (tmp_path / "one").symlink_to("two")
        (tmp_path / "two").symlink_to("one")
        for path in (tmp_path / "one", tmp_path, tmp_path / "missing" / "out"):
            with pytest.raises(OSError, match=r"Too many|directory"):
                write(path)
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_terminal_is_recognized_under_any_name(self, tmp_path: Path) -> None:
        master, terminal = pty.openpty()
        link = tmp_path / "link"
        link.symlink_to(os.ttyname(terminal))
        try:
            assert is_terminal(os.ttyname(terminal))
            assert is_terminal(str(link))
        finally:
            os.close(master)
            os.close(terminal)
        for other in ("/dev/null", str(tmp_path), str(tmp_path / "missing"), "-"):
            assert not is_terminal(other)

    def test_standard_output_is_recognized_under_any_name(self, tmp_path: Path) -> None:
        assert is_standard_output("-")
        assert is_standard_output("/dev/stdout")
        assert is_standard_output("/dev/fd/1")
        assert not is_standard_output(str(tmp_path / "-"))


def _fail_within(path: Path, error: BaseException) -> None:
    with written(str(path)) as file:
        file.write(NEW * 100_000)
        raise error


def _refuse(number: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "refused")

    return refuse


def _attributes(path: Path) -> dict[str, bytes]:
    if not hasattr(os, "listxattr"):
        return {}
    return {name: os.getxattr(path, name) for name in os.listxattr(path)}


def _with_attributes(path: Path) -> dict[str, bytes]:
    """Give a file an extended attribute if the file system supports them; return all."""
    try:
        os.setxattr(path, "user.note", b"kept")
    except (AttributeError, OSError):
        return {}
    return _attributes(path)
