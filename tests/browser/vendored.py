"""Files of other projects that are kept here, with their versions, licences and hashes.

`python -m tests.browser.vendored`, or `make vendor`, fetches them again with npm. To take another
version, change it here, run that, and copy the hashes that it reports once you trust the files.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

ROOT = Path(__file__).parents[2]


class Vendored(Struct, frozen=True):
    """Files of an npm package; `hashes` has the SHA-256 and the path of each, a line per file."""

    package: str
    version: str
    directory: Path
    hashes: str

    @property
    def files(self) -> dict[str, str]:
        """The SHA-256 of each file, by its path in the package."""
        lines = (line.split() for line in self.hashes.strip().splitlines())
        return {path: digest for digest, path in lines}


VENDORED = (
    Vendored(
        "uplot",
        "1.6.32",
        ROOT / "adapters/http/pages/static/vendor/uplot",
        """
        19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f  dist/uPlot.iife.min.js
        df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04  dist/uPlot.min.css
        8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd  LICENSE
        """,
    ),
    Vendored(
        "axe-core",
        "4.14.1",
        ROOT / "tests/browser/vendor/axe-core",
        """
        29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c  axe.min.js
        af175b9d96ee93c21a036152e1b905b0b95304d4ae8c2c921c7609100ba8df7e  LICENSE
        4f8563870d0fca38bbc3e00b6f670cb7fa9f380ba9f26a7f7d1184a6b18b1653  LICENSE-3RD-PARTY.txt
        """,
    ),
)


def wrong(vendored: Vendored, contents: dict[str, bytes]) -> list[str]:
    """Return a line for each file whose hash is not the expected one."""
    return [
        f"{vendored.package} {vendored.version} {path}: {found}, expected {expected}"
        for path, expected in vendored.files.items()
        if (found := sha256(contents[path]).hexdigest()) != expected
    ]


def kept(vendored: Vendored) -> dict[str, bytes]:
    """Return the contents of the kept files, by their paths in the package."""
    return {path: (vendored.directory / Path(path).name).read_bytes() for path in vendored.files}


def fetched(vendored: Vendored) -> dict[str, bytes]:
    """Return the contents of the files in the published package. Raises CalledProcessError."""
    with TemporaryDirectory() as directory:
        subprocess.run(
            ["npm", "pack", "--silent", f"{vendored.package}@{vendored.version}"],
            cwd=directory,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (archive,) = Path(directory).glob("*.tgz")
        with tarfile.open(archive) as opened:
            found = {}
            for path in vendored.files:
                member = opened.extractfile(f"package/{path}")
                assert member is not None, path
                found[path] = member.read()
    return found


def refresh() -> int:
    """Fetch all files; keep those of a package only if all of its hashes are right."""
    status = 0
    for vendored in VENDORED:
        contents = fetched(vendored)
        if faults := wrong(vendored, contents):
            print(*faults, sep="\n", file=sys.stderr)
            status = 1
            continue
        vendored.directory.mkdir(parents=True, exist_ok=True)
        for path, content in contents.items():
            (vendored.directory / Path(path).name).write_bytes(content)
        print(f"{vendored.package} {vendored.version}: {len(contents)} files")
    return status


if __name__ == "__main__":
    sys.exit(refresh())
