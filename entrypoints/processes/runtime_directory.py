"""A directory in the data directory for files that processes share while they run.

Not in the temporary directory, which other programs clean.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

NAME = "run"


@contextmanager
def runtime_directory(data_dir: Path) -> Iterator[Path]:
    """Yield a directory of this process under `data_dir`, and remove it afterwards.

    Directories left by killed processes are removed as well. Raises OSError.
    """
    parent = (data_dir / NAME).absolute()
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in parent.iterdir():
        _remove_unless_used(leftover)
    own = Path(mkdtemp(dir=parent))
    fd = os.open(own, os.O_RDONLY)
    try:
        # The kernel releases the lock when this process ends, however that happens.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield own
    finally:
        os.close(fd)
        shutil.rmtree(own, ignore_errors=True)


def _remove_unless_used(directory: Path) -> None:
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:  # removed meanwhile
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    else:
        shutil.rmtree(directory, ignore_errors=True)
    finally:
        os.close(fd)
