"""Objects in a directory and in object stores: durable, private, and with errors in words."""

from __future__ import annotations

import os
import random
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.archive import durable_files
from adapters.archive.objects import Objects, open_objects
from application.errors import ArchiveConflict, ArchiveUnavailable, LogGap
from application.event_log.archive import ArchivedStream
from tests.archive.places import ObjectsPlace, Watching
from tests.contracts.archive_places import NEW_PARTITIONS, NOW, chain_of, entries, entries_in


@pytest.fixture(params=["directory_place", "memory_place", "s3_place"])
def objects(request: pytest.FixtureRequest) -> Objects:
    place: ObjectsPlace = request.getfixturevalue(request.param)
    return place.objects


def test_an_object_is_what_was_put_last(objects: Objects) -> None:
    assert objects.get("a/b") is None
    assert objects.get_range("a/b", 0, 10) is None
    for content in (b"first", b"", bytes(range(256)) * 1000):
        objects.put("a/b", content)
        assert objects.get("a/b") == content
    objects.delete("a/b")
    assert objects.get("a/b") is None
    objects.delete("a/b")


def test_a_range_ends_with_its_object(objects: Objects) -> None:
    objects.put("a/b", b"0123456789")
    assert objects.get_range("a/b", 2, 3) == b"234"
    assert objects.get_range("a/b", 8, 100) == b"89"
    assert objects.get_range("a/b", 10, 5) == b""
    assert objects.get_range("a/b", 50, 5) == b""


def test_objects_are_listed_in_order_below_a_directory(objects: Objects) -> None:
    paths = ["a/1/x", "a/1/y", "a/10/x", "a/2/x", "ab/x", "b"]
    for path in paths:
        objects.put(path, b"")
    found = objects.stored("a")
    assert [each.path for each in found] == paths[:4]
    assert {each.written > NOW for each in found} == {True}
    assert [each.path for each in objects.stored("a/1")] == paths[:2]
    assert list(objects.stored("nothing")) == []


def test_an_object_is_created_once(directory: Path) -> None:
    objects = open_objects(str(directory))
    objects.create("a/b", b"first")
    objects.create("a/b", b"second")
    assert objects.get("a/b") == b"first"


@pytest.mark.parametrize("prefix", ["", "file://", "file://localhost"])
def test_a_directory_is_named_by_a_path_or_a_url(directory: Path, prefix: str) -> None:
    objects = open_objects(f"{prefix}{directory}")
    assert not directory.exists(), "it is made when something is put there"
    objects.put("a", b"b")
    assert (directory / "a").read_bytes() == b"b"
    assert objects.url == str(directory)


def test_a_relative_path_and_odd_characters_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_objects("a b%20c").put("x", b"y")
    assert (tmp_path / "a b%20c" / "x").exists()
    open_objects(f"file://{tmp_path}/a%20b").put("x", b"y")
    assert (tmp_path / "a b" / "x").exists()


@pytest.mark.parametrize("url", ["file://host/path", "file:relative", "unheard-of://x", "s3://"])
def test_a_url_that_is_not_understood_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=url.partition(":")[0]):
        open_objects(url)


def test_the_shown_url_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_objects("s3://user:secret@bucket/prefix/").url == "s3://bucket/prefix"


def test_files_and_directories_are_the_owners_alone(directory: Path) -> None:
    os.umask(os.umask(0o022) | 0)
    objects = open_objects(str(directory / "deeper"))
    objects.put("a/b/c", b"x")
    objects.create("a/d", b"x")
    for path in (directory, *directory.rglob("*")):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


SYNCED = """
import sys
from pathlib import Path
from adapters.archive.objects import open_objects
objects = open_objects(sys.argv[1])
objects.put("segments/3/a.seg", b"content")
objects.create("manifest/3/1.json", b"content")
objects.delete("segments/3/a.seg")
"""


def test_contents_are_synced_before_they_have_a_name_and_names_after(directory: Path) -> None:
    calls = traced(directory)
    synced: set[Path] = set()
    for name, path in calls:
        if name == "write":
            synced.discard(path)
        elif name == "fsync":
            synced.add(path)
        elif name == "name":
            assert synced, "the content is synced before it gets its name"
            synced.clear()
    named = [path for name, path in calls if name == "name"]
    assert named == [directory / "segments/3/a.seg", directory / "manifest/3/1.json"]
    events = [(name, path) for name, path in calls if name in {"name", "unlink", "mkdir", "fsync"}]
    for at, (name, path) in enumerate(events):
        if name != "fsync" and durable_files.PARTS not in path.parts:
            assert ("fsync", path.parent) in events[at:], f"{name} {path} is not durable"


def traced(directory: Path) -> list[tuple[str, Path]]:
    """Run SYNCED; return which system calls it made, and on which paths."""
    directory.parent.mkdir(exist_ok=True)
    script = f"""
import os
opened = {{}}
names = "open", "fsync", "rename", "replace", "link", "unlink", "mkdir"
real = {{name: getattr(os, name) for name in names}}
def say(name, path):
    print(name, os.fspath(path))
def wrap(name):
    def call(*args, **kwargs):
        found = real[name](*args, **kwargs)
        if name == "open":
            opened[found] = args[0]
            say("write" if args[1] & os.O_WRONLY else "read", args[0])
        elif name == "fsync":
            say("fsync", opened[args[0] if isinstance(args[0], int) else args[0].fileno()])
        elif name in ("rename", "replace", "link"):
            say("name", args[1])
        else:
            say(name, args[0])
        return found
    return call
for name in real:
    setattr(os, name, wrap(name))
{SYNCED}
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(directory)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [
        (name, Path(path))
        for name, _, path in (line.partition(" ") for line in done.stdout.splitlines())
    ]


def test_what_a_killed_process_was_writing_has_no_name_and_is_swept(
    directory: Path, directory_place: ObjectsPlace
) -> None:
    script = """
import os, sys
from adapters.archive import durable_files
from pathlib import Path
os.fsync = lambda file: os.kill(os.getpid(), 9)
(Path(sys.argv[1]) / durable_files.PARTS).mkdir(parents=True)
durable_files.write(Path(sys.argv[1]), "segments/3/a.seg", b"content")
"""
    subprocess.run([sys.executable, "-c", script, str(directory)], check=False)
    assert [path for path in directory.rglob("*") if path.is_file()] != []
    assert directory_place.objects.get("segments/3/a.seg") is None
    archive = directory_place.open()
    assert list(archive.sweep(0)) == []
    [swept] = archive.sweep(2**62)
    assert swept.startswith(durable_files.PARTS)
    assert [path for path in directory.rglob("*") if path.is_file()] == []


def test_refusals_of_a_directory_are_named(directory: Path) -> None:
    directory.parent.mkdir(exist_ok=True)
    directory.write_text("a file")
    objects = open_objects(str(directory))
    for act in (
        lambda: objects.put("a", b""),
        lambda: objects.get("a"),
        lambda: objects.stored("a"),
        lambda: objects.delete("a"),
    ):
        with pytest.raises(ArchiveUnavailable, match=r"directory|File exists"):
            act()


FULL = """
import resource, sys
from adapters.archive.objects import open_objects
from application.errors import ArchiveUnavailable
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    open_objects(sys.argv[1]).put("a", bytes(5000))
except ArchiveUnavailable as error:
    print(error)
"""


def test_a_file_that_finds_no_room_is_an_error_and_leaves_nothing(directory: Path) -> None:
    objects = open_objects(str(directory))
    objects.put("a", b"before")
    command = [sys.executable, "-c", FULL, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"the archive fails at {directory}/a: File too large\n"
    assert objects.get("a") == b"before"
    assert [path.name for path in directory.rglob("*") if path.is_file()] == ["a"]


def test_a_store_that_does_not_answer_is_unavailable(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        objects = open_objects(bucket)
        with pytest.raises(ArchiveUnavailable) as failed:
            objects.put("a", b"")
    assert str(failed.value).startswith(f"the archive fails at {bucket}/a: ")
    assert "\n" not in str(failed.value)
    assert "Debug source" not in str(failed.value)


def test_a_bucket_that_is_missing_is_unavailable(bucket: str) -> None:
    objects = open_objects("s3://no-such-bucket/prefix")
    for act in (lambda: objects.put("a", b""), lambda: objects.stored("a")):
        with pytest.raises(ArchiveUnavailable, match="no-such-bucket"):
            act()


class Failing:
    """Fails half of all calls, before or after they took effect."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)

    def __call__(self, name: str, path: str) -> None:
        if self._source.random() < 0.25:
            raise ArchiveUnavailable(f"the archive fails at {path}: try again")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_repeating_what_failed_finally_succeeds(memory_place: ObjectsPlace, seed: int) -> None:
    """Whatever part of it had taken effect, nothing is lost or doubled."""
    partition = next(NEW_PARTITIONS)
    known = entries(60, partition=partition)
    failing = Failing(seed)
    objects = Watching(memory_place.objects, before=failing, after=failing)
    stream = memory_place.open(objects=objects).partition(partition)
    done = 0
    for _ in range(1000):
        try:
            done = stream.refresh().number
            if done == len(known):
                break
            stream.seal(known[done : done + 7], NOW)
        except (ArchiveUnavailable, ArchiveConflict):
            continue
    assert done == len(known)
    found: list[object] = []
    after = 0
    for _ in range(1000):
        try:
            page = stream.read(after, 9)
        except ArchiveUnavailable:
            continue
        if not page:
            break
        found += page
        after = page[-1].receipt.position
    assert found == known
    stream = memory_place.open().partition(partition)
    assert entries_in(stream) == known
    assert stream.end().chain == chain_of(known)
    for segment in stream.segments():
        erase(memory_place.open(objects=objects).partition(partition), segment.first.position)
    stream.refresh()
    assert not any(entry.fields.get(b"organization") == b"gilt" for entry in entries_in(stream))
    assert stream.end().chain == chain_of(known)
    memory_place.open().sweep(2**62)
    assert len(entries_in(memory_place.open().partition(partition))) == len(known)


def erase(stream: ArchivedStream, position: int) -> None:
    for _ in range(1000):
        try:
            stream.refresh()
            [segment] = [s for s in stream.segments() if s.first.position == position]
            if stream.rewrite(segment, b"gilt", NOW) is None:
                return
        except (ArchiveUnavailable, ArchiveConflict, LogGap):
            continue
    raise AssertionError("it never succeeded")
