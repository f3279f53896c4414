"""The publish routes: the one table that maps paths to formats.

The short way, the application's routing and the OpenAPI document all use it. To add a protocol, add
a row here, a format in `adapters.point_formats`, and the format's name in the wiring.
"""

from __future__ import annotations

from msgspec import Struct

ORGANIZATION_PATH = "/organizations/{organization}"
TEAM_PATH = "/organizations/{organization}/teams/{team}"


class PublishRoute(Struct, frozen=True):
    """A path below an organization or a team, and the format of the bodies posted to it.

    `media_types` are accepted, in lower case. A request may leave its media type out.
    """

    path: str
    format: str
    media_types: tuple[str, ...]

    def templates(self) -> tuple[str, str]:
        """Return the full paths, for an organization and for a team, with names in braces."""
        return f"{ORGANIZATION_PATH}/{self.path}", f"{TEAM_PATH}/{self.path}"


ROUTES = (PublishRoute("metrics", "json", ("application/json",)),)

_BY_PATH = {tuple(route.path.split("/")): route for route in ROUTES}


class Destination(Struct, frozen=True):
    """The organization or team that a request publishes for, and the route."""

    route: PublishRoute
    organization: str
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
    return None
