"""The page's files, read once per process and named by a hash of all of them."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from msgspec import Struct

INDEX = "index.html"
PLACEHOLDER = b'="static/'
"""What precedes a file's path in the index."""

MODULES = b"<!-- modules -->"
"""Where the index gets links to all modules, so that a browser need not find them one by one."""

NO_MODULES = ("theme.js", "vendor/")
"""What the names of scripts that are no modules begin with."""

MEDIA_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
"""The types of the files that are served, by the end of their names. All others are not served."""


class PageFile(Struct, frozen=True):
    content: bytes
    media_type: str


class PageFiles(Struct, frozen=True):
    """`digest` names the files' version in URLs; `served` has them by path, `/` between names."""

    digest: str
    index: bytes
    served: dict[str, PageFile]


@cache
def page_files() -> PageFiles:
    """Read the files. A module's relative imports stay below the URL's digest."""
    found = dict(_walk(files(__package__) / "static", ""))
    digest = sha256()
    for path, content in sorted(found.items()):
        digest.update(b"%b\0%d\0%b" % (path.encode(), len(content), content))
    version = digest.hexdigest()[:16]
    modules = "\n".join(
        f'<link rel="modulepreload" href="static/{path}">'
        for path in sorted(found)
        if path.endswith(".js") and not path.startswith(NO_MODULES)
    )
    index = (
        found[INDEX]
        .replace(MODULES, modules.encode())
        .replace(PLACEHOLDER, b'="static/%b/' % version.encode())
    )
    served = {
        path: PageFile(content, MEDIA_TYPES[ending])
        for path, content in found.items()
        for ending in MEDIA_TYPES
        if path.endswith(ending)
    }
    return PageFiles(version, index, served)


def _walk(directory: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in directory.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        else:
            found.append((f"{prefix}{entry.name}", entry.read_bytes()))
    return found
