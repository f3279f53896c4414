"""The half-written end that a kill or a power cut may leave in the append-only file.

The server replies only after its fsync, so a half-written command was never acknowledged and may be
cut off. The server's message is not enough to decide that. After a damaged length in the middle of
the file, everything looks like the rest of one unfinished argument ("unexpected end of file"), and
the repair tool that comes with the server would cut all of it, including acknowledged data. So the
cut is made here, and only if the tail is exactly one unfinished command or transaction.
"""

from __future__ import annotations

import mmap
import os
import re
import subprocess
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from adapters.embedded_valkey.command_line import binary
from adapters.embedded_valkey.errors import LogCorrupt

MANIFEST = "appendonly.aof.manifest"
MAX_ARGUMENT = 512 << 20  # the server's limit

_COUNT = re.compile(rb"\*(\d{1,10})\r\n")
_LENGTH = re.compile(rb"\$(\d{1,10})\r\n")
_PART_OF_COUNT = re.compile(rb"\*(\d{1,10}\r?)?\Z")
_PART_OF_LENGTH = re.compile(rb"(\$(\d{1,10}\r?)?)?\Z")
_FURTHER_PART = re.compile(rb"\r\n[*$]\d{1,10}\r\n")


class Check(NamedTuple):
    """The first `sound` bytes of a file are intact; `complaint` describes the fault after them."""

    sound: int
    complaint: str


class CutTail(NamedTuple):
    """`size` bytes were cut from `file` and are kept in `copy`."""

    file: Path
    size: int
    copy: Path


class _Unfinished(Exception):
    """The bytes end within a command."""


class _Malformed(Exception):
    """The bytes do not begin a valid command."""


def check(file: Path) -> Check:
    """Check a file of commands with the server's own checker. Raises `LogCorrupt` if that fails."""
    # The binary acts as the checker when called by this name.
    done = subprocess.run(  # noqa: S603 - our own binary on our own file
        ["valkey-check-aof", file.name],  # noqa: S607 - a name, not a path: see `executable`
        executable=binary(),
        cwd=file.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    report = done.stdout.decode(errors="replace")
    found = re.search(r"ok_up_to=(\d+)", report)
    if found is None:
        raise LogCorrupt(f"{file} cannot be checked: {report.strip() or done.returncode}")
    complaint = re.search(r"^0x.*$|^Reached EOF.*$", report, re.MULTILINE)
    return Check(int(found[1]), " ".join(complaint[0].split()) if complaint else "")


def cut(file: Path, now: datetime) -> CutTail:
    """Cut off the half-written end of `file`, keeping a copy of that end next to it.

    Raises `LogCorrupt` and leaves the file unchanged if its end is anything else.
    """
    if file.name != (last := last_file(file.parent)):
        raise LogCorrupt(f"{file} ends too early, but is followed by {last}; nothing was changed")
    sound = check(file).sound
    with file.open("rb+") as log:
        size = os.fstat(log.fileno()).st_size - sound
        if size <= 0 or not _is_half_written_at(log.fileno(), sound):
            raise LogCorrupt(
                f"{file} is damaged after byte {sound}, and the {size} bytes from there are more "
                "than one half-written command; nothing was changed"
            )
        copy = file.with_name(f"{file.name}.torn-{now:%Y%m%dT%H%M%S.%fZ}")
        log.seek(sound)
        _keep(log.read(), copy)
        log.truncate(sound)
        os.fsync(log.fileno())
    return CutTail(file, size, copy)


def last_file(directory: Path) -> str | None:
    """Return the name of the file that the server appends to, from its manifest."""
    try:
        manifest = (directory / MANIFEST).read_text()
    except OSError:
        return None
    names = re.findall(r"^file (\S+) seq \d+ type i$", manifest, re.MULTILINE)
    return names[-1] if names else None


def is_half_written(tail: bytes | mmap.mmap, at: int = 0) -> bool:
    """Whether the bytes from `at` on are exactly one command or transaction that is cut short.

    Complete commands may appear only at the start of a transaction. A cut-off argument must not
    contain anything that looks like further arguments or commands: its length is damaged then.
    """
    names: list[bytes] = []
    try:
        while at < len(tail):
            name, at = _command(tail, at)
            names.append(name.upper())
    except _Unfinished:
        pass
    except _Malformed:
        return False
    return not names or (names[0] == b"MULTI" and not {b"MULTI", b"EXEC"} & set(names[1:]))


def _is_half_written_at(fd: int, start: int) -> bool:
    with mmap.mmap(fd, 0, access=mmap.ACCESS_READ) as content:
        return is_half_written(content, start)


def _command(tail: bytes | mmap.mmap, at: int) -> tuple[bytes, int]:
    name = b""
    arguments, at = _number(tail, at, _COUNT, _PART_OF_COUNT)
    for index in range(arguments):
        length, at = _number(tail, at, _LENGTH, _PART_OF_LENGTH)
        if length > MAX_ARGUMENT:
            raise _Malformed
        end = at + length
        if end + 2 > len(tail):
            if tail[end : end + 2] not in (b"", b"\r") or _FURTHER_PART.search(tail, at):
                raise _Malformed
            raise _Unfinished
        if tail[end : end + 2] != b"\r\n":
            raise _Malformed
        if index == 0:
            name = tail[at:end]
        at = end + 2
    return name, at


def _number(
    tail: bytes | mmap.mmap, at: int, whole: re.Pattern[bytes], part: re.Pattern[bytes]
) -> tuple[int, int]:
    if found := whole.match(tail, at):
        return int(found[1]), found.end()
    if part.match(tail, at):
        raise _Unfinished
    raise _Malformed


def _keep(content: bytes, copy: Path) -> None:
    with copy.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(copy.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
