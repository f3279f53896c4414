"""`GET /`: the page to explore metrics, and its files.

The page itself is public and holds no data. Its modules ask the API with the token that a person
enters.
"""

from __future__ import annotations

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from adapters.http.pages.files import page_files

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
IMMUTABLE = "public, max-age=31536000, immutable"


@get("/", name="page")
async def page() -> Response[bytes]:
    return Response(
        page_files().index,
        media_type="text/html",
        headers={**HEADERS, "Cache-Control": "no-cache"},
    )


@get("/static/{digest:str}/{file:path}", name="page_file")
async def page_file(digest: FromPath[str], file: FromPath[str]) -> Response[bytes]:
    """Return a file. Its URL changes with any of the files, so it may be kept forever."""
    found = page_files()
    served = found.served.get(file.removeprefix("/")) if digest == found.digest else None
    if served is None:
        raise NotFoundException
    return Response(
        served.content,
        media_type=served.media_type,
        headers={**HEADERS, "Cache-Control": IMMUTABLE},
    )


ROUTE_HANDLERS = (page, page_file)
