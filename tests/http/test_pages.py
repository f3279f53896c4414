"""The page and its files over HTTP."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin

import pytest

from adapters.http.pages.files import page_files
from adapters.promql.registry import AGGREGATIONS, FUNCTIONS
from tests.http.conftest import Service

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "adapters" / "http" / "pages" / "static"
STATIC_PREFIX = "adapters/http/pages/static/"
NOT_SERVED = {"index.html", "vendor/uplot/LICENSE"}
TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def policy_of(header: str) -> dict[str, str]:
    """Return a Content-Security-Policy's sources by directive."""
    directives = (part.strip().partition(" ") for part in header.split(";"))
    return {name: sources for name, _, sources in directives}


def url_of(file: str) -> str:
    return f"/static/{page_files().digest}/{file}"


def stored_files() -> set[str]:
    found = (path for path in STATIC.rglob("*") if path.is_file())
    return {path.relative_to(STATIC).as_posix() for path in found}


def test_the_page_needs_no_token_and_is_not_kept(service: Service) -> None:
    answer = service.call("GET", "/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/", url_of("main.js")])
def test_every_answer_has_a_strict_policy(service: Service, path: str) -> None:
    headers = service.call("GET", path).headers
    assert policy_of(headers["content-security-policy"]) == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_every_file_is_served_as_its_type_and_kept_forever(service: Service) -> None:
    for file in stored_files() - NOT_SERVED:
        answer = service.call("GET", url_of(file))
        assert answer.status_code == 200, file
        assert answer.content == (STATIC / file).read_bytes()
        assert answer.headers["content-type"].split(";")[0] == TYPES[file.rpartition(".")[2]]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_head_has_the_headers_alone(service: Service) -> None:
    for path in ("/", url_of("main.js")):
        head, get = service.call("HEAD", path), service.call("GET", path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers == get.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/0123456789abcdef/main.js",
        url_of("nothing.js"),
        url_of("index.html"),
        url_of("vendor/uplot/LICENSE"),
        url_of(""),
        url_of("explore"),
        url_of("../routes.py"),
        url_of("%2e%2e/routes.py"),
        url_of("..%2froutes.py"),
        url_of("explore/../main.js"),
        url_of("/etc/passwd"),
        url_of("%2fetc%2fpasswd"),
        url_of("main.js%00"),
    ],
)
def test_anything_else_is_not_found(service: Service, path: str) -> None:
    """Sent as it is: httpx would resolve the dots."""
    started: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(service.app(scope, receive, send))
    (start,) = started
    assert start["status"] == 404
    assert (b"content-type", b"application/problem+json") in start["headers"]


def test_the_index_and_the_modules_name_only_files_that_are_served(service: Service) -> None:
    files = page_files()
    index = service.call("GET", "/").text
    linked = re.findall(r'(?:src|href)="([^"]*)"', index)
    assert linked
    modules = {file for file in files.served if re.match(r"(?!theme|vendor/).*\.js$", file)}
    assert {f"static/{files.digest}/{file}" for file in modules} <= set(linked)
    for link in linked:
        assert link.startswith(f"static/{files.digest}/")
        assert service.call("GET", f"/{link}").status_code == 200, link
    for file, served in files.served.items():
        if file.endswith(".js") and not file.startswith("vendor/"):
            for imported in re.findall(r"""from '([^']*)'""", served.content.decode()):
                target = urljoin(url_of(file), imported)
                assert service.call("GET", target).status_code == 200, (file, imported)


def test_the_index_has_no_script_or_style_of_its_own(service: Service) -> None:
    index = service.call("GET", "/").text
    assert re.findall(r"<script[^>]*>([^<]+)</script>", index) == []
    assert re.search(r"<style|\sstyle=|\son[a-z]+=", index) is None


def test_no_module_turns_text_into_markup_or_code() -> None:
    for path in STATIC.rglob("*.js"):
        if "vendor" not in path.parts:
            found = re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
                path.read_text(),
            )
            assert found is None, (path, found)


def test_the_digest_depends_on_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest() -> str:
        page_files.cache_clear()
        return page_files().digest

    monkeypatch.setattr("adapters.http.pages.files.files", lambda _: tmp_path)
    static = tmp_path / "static"
    (static / "explore").mkdir(parents=True)
    for name in ("index.html", "main.js", "explore/a.js"):
        (static / name).write_text("x")
    seen = {digest()}
    (static / "explore" / "a.js").write_text("y")
    seen.add(digest())
    (static / "explore" / "a.js").rename(static / "explore" / "b.js")
    seen.add(digest())
    (static / "main.js").write_text("")
    seen.add(digest())
    page_files.cache_clear()
    assert len(seen) == 4


def test_completion_knows_the_words_of_the_evaluator() -> None:
    text = (STATIC / "explore" / "promql-words.js").read_text()
    lists = {
        name: set(words.split())
        for name, words in re.findall(r"export const (\w+) = `([^`]*)`", text)
    }
    assert lists == {"FUNCTIONS": set(FUNCTIONS), "AGGREGATIONS": AGGREGATIONS}


def test_the_distributions_have_every_file(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "adapters", tmp_path / "adapters", ignore=ignored)
    script = "from setuptools.build_meta import *; build_sdist('.'); build_wheel('.')"
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL
    )
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as opened, tarfile.open(sdist) as unpacked:
        for names in (opened.namelist(), unpacked.getnames()):
            packed = {path.partition(STATIC_PREFIX)[2] for path in names if STATIC_PREFIX in path}
            assert stored_files() <= packed
