"""The publish routes: the one table that maps paths to protocols and their formats.

The short way, the application's routing and the OpenAPI document all use it. To add a protocol, add
a row here, its formats in `adapters.point_formats`, and its answers in
`adapters.http.publish.answers`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from adapters.http.body import ENCODINGS, SNAPPY, content_coding
from adapters.http.errors import UnsupportedMedia

ORGANIZATION_PATH = "/organizations/{organization}"
TEAM_PATH = "/organizations/{organization}/teams/{team}"

ANY_MEDIA = "*"
"""In place of a media type: the format of whatever a request calls its body."""


class PublishRoute(Struct, frozen=True):
    """A path below an organization or a team, and the formats of the bodies posted to it.

    `protocol` names the answers, and the protocol among refused points. `formats` maps media types,
    in any case and with the parameter `proto` if they have one, to the names of formats; the first
    is that of a request without a media type. `root` is the path at which the token says
    whose the points are, None if there is none. `codings` are the content codings, `implied_coding`
    the one of a request that names none, and `coded_media` those of media types that name one. With
    `tokens_in_parameters`, tokens may also come the ways
    that InfluxDB's clients send them (see `adapters.http.credentials`).
    """

    path: str
    protocol: str
    formats: Mapping[str, str]
    root: str | None = None
    codings: Collection[str] = ENCODINGS
    implied_coding: str | None = None
    coded_media: Mapping[str, str] = {}
    tokens_in_parameters: bool = False

    @property
    def media_types(self) -> tuple[str, ...]:
        """The media types that are accepted."""
        return tuple(self.formats)

    def format_of(self, content_type: bytes | None) -> str:
        """Return the name of the format of a Content-Type header. Raises UnsupportedMedia."""
        found = self.known_format_of(content_type)
        if not found:
            raise UnsupportedMedia(
                f"the media type {_media_type(content_type or b'')!r} is not supported; "
                f"send {' or '.join(self.formats)}, or no Content-Type"
            )
        return found

    def known_format_of(self, content_type: bytes | None) -> str:
        """Return the name of the format of a Content-Type header, empty if there is none."""
        if not content_type:
            return next(iter(self.formats.values()))
        media_type = _media_type(content_type)
        known = {each.lower(): name for each, name in self.formats.items()}
        return known.get(media_type) or known.get(ANY_MEDIA, "")

    def coding_of(self, content_encoding: bytes | None, content_type: bytes | None) -> str | None:
        """Return the content coding of a body, None for none. Raises UnsupportedMedia."""
        coding = content_coding(content_encoding, self.codings)
        return (
            coding or self.coded_media.get(_media_type(content_type or b"")) or self.implied_coding
        )

    def templates(self) -> tuple[str, ...]:
        """Return the full paths, with names in braces: organization, team, and root if any."""
        owned = f"{ORGANIZATION_PATH}/{self.path}", f"{TEAM_PATH}/{self.path}"
        return owned if self.root is None else (*owned, self.root)


def _media_type(content_type: bytes) -> str:
    """Return a header's media type in lower case, with its parameter `proto` if it has one."""
    media, _, rest = content_type.decode("latin-1").partition(";")
    media = media.strip().lower()
    for parameter in filter(None, rest.split(";")):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "proto":
            media += f";proto={value.strip().strip(chr(34)).lower()}"
    return media


def _influx(path: str, point_format: str, root: str) -> PublishRoute:
    """Return a route of InfluxDB, whose clients send any media type."""
    return PublishRoute(
        path, "influx", {ANY_MEDIA: point_format}, root=root, tokens_in_parameters=True
    )


ROUTES = (
    PublishRoute("metrics", "json", {"application/json": "json"}),
    PublishRoute(
        "otlp/v1/metrics",
        "otlp",
        {"application/x-protobuf": "otlp_protobuf", "application/json": "otlp_json"},
        root="/v1/metrics",
    ),
    _influx("influx/write", "influx_1", "/write"),
    _influx("influx/api/v2/write", "influx_2", "/api/v2/write"),
    _influx("influx/api/v3/write_lp", "influx_3", "/api/v3/write_lp"),
    PublishRoute("opentsdb/api/put", "opentsdb", {ANY_MEDIA: "opentsdb"}, root="/api/put"),
    PublishRoute(
        "kairosdb/api/v1/datapoints",
        "kairosdb",
        {"application/json": "kairosdb", "application/gzip": "kairosdb", ANY_MEDIA: "kairosdb"},
        root="/api/v1/datapoints",
        coded_media={"application/gzip": "gzip"},
    ),
    PublishRoute(
        "prometheus/api/v1/write",
        "remote_write",
        {
            "application/x-protobuf": "remote_write_1",
            "application/x-protobuf;proto=prometheus.WriteRequest": "remote_write_1",
            "application/x-protobuf;proto=io.prometheus.write.v2.Request": "remote_write_2",
        },
        root="/api/v1/write",
        codings=(SNAPPY, "zstd", "gzip"),
        implied_coding=SNAPPY,
    ),
)

_BY_PATH = {tuple(route.path.split("/")): route for route in ROUTES}
_BY_ROOT = {route.root: route for route in ROUTES if route.root is not None}


class Destination(Struct, frozen=True):
    """The route of a request, and the organization or team it publishes for.

    Without an organization it publishes for the owner of its token.
    """

    route: PublishRoute
    organization: str | None
    team: str | None


def find_destination(path: str) -> Destination | None:
    """Return the destination of a path, None if it is not a publish path as documented."""
    match path.split("/"):
        case ["", "organizations", organization, "teams", team, *rest] if route := _BY_PATH.get(
            tuple(rest)
        ):
            return Destination(route, organization, team)
        case ["", "organizations", organization, *rest] if route := _BY_PATH.get(tuple(rest)):
            return Destination(route, organization, None)
    if route := _BY_ROOT.get(path):
        return Destination(route, None, None)
    return None
