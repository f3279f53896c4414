"""The PostgreSQL that is installed here, for the catalogs of the projections."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from entrypoints.demo.processes import last_line, running_server
from entrypoints.demo.service import without_settings
from entrypoints.errors import CommandFailed

ACCOUNT = "postgres"
DATABASE_USER = "cave"
INSTALLED = (
    "usr/lib/postgresql/*/bin",  # Debian
    "usr/pgsql-*/bin",  # Red Hat
    "usr/local/pgsql/bin",
    "opt/homebrew/opt/postgresql@*/bin",
)


class NotInstalled(Exception):
    """PostgreSQL cannot be run here; says what is missing."""


@contextmanager
def running_postgresql() -> Iterator[str]:
    """Run a server for the block, and yield its connection string.

    It listens on a Unix socket only, in a directory that no other user can enter. It refuses to run
    as root, so under root it runs as its own account. Raises NotInstalled and CommandFailed.
    """
    binaries = _binaries()
    user = _account()
    place = gettempdir() if user is None else _place_for_everybody()
    with TemporaryDirectory(prefix="cave-demo-pg-", dir=place) as directory:
        home = Path(directory)
        if user is not None:
            shutil.chown(home, user, user)
        data = home / "data"
        _run(
            [binaries / "initdb", "-D", data, "-U", DATABASE_USER, "-A", "trust", "--no-sync"],
            home,
            user,
        )
        command: list[str | Path] = [
            *(binaries / "postgres", "-D", data),
            *("-k", home, "-c", "listen_addresses="),
        ]
        ready: list[str | Path] = [binaries / "pg_isready", "-q", "-h", home]
        with running_server(
            "postgresql",
            command,
            home,
            lambda: subprocess.run(ready, check=False).returncode == 0,  # noqa: S603
            environment=without_settings(),
            user=user,
        ):
            yield f"host={home} user={DATABASE_USER} dbname=postgres"


def _binaries() -> Path:
    """Return the directory of PostgreSQL's programs, those of the newest version. Raises."""
    if (found := shutil.which("postgres")) is not None:
        return Path(found).resolve().parent
    for pattern in INSTALLED:
        if places := sorted(Path("/").glob(pattern), key=_version):
            return places[-1]
    raise NotInstalled("PostgreSQL is not installed; on Debian: apt-get install postgresql")


def _version(place: Path) -> int:
    digits = "".join(filter(str.isdigit, place.parent.name))
    return int(digits or 0)


def _account() -> str | None:
    """Return the account to run it as, None for our own. Raises NotInstalled."""
    if os.getuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        raise NotInstalled(
            f"PostgreSQL does not run as root, and there is no account {ACCOUNT!r}"
        ) from None


def _place_for_everybody() -> str:
    """Return a directory for temporary files that another account can reach. Raises NotInstalled.

    Root's own may be below one that only root can enter.
    """
    for place in (gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108  the names in it are random
        path = Path(place).resolve()
        if all(above.stat().st_mode & stat.S_IXOTH for above in (path, *path.parents)):
            return place
    raise NotInstalled(f"the account {ACCOUNT!r} can enter no directory for temporary files")


def _run(command: list[str | Path], directory: Path, user: str | None) -> None:
    done = subprocess.run(  # noqa: S603  a program that we found
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=directory,
        env=without_settings(),
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    if done.returncode:
        raise CommandFailed(f"{command[0]}: {last_line(done.stderr)}")
