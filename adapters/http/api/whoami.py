"""`GET /whoami`: whose the presented token is. The page at `/` learns so which paths to ask."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency

from adapters.http.api.administration import Administration, AnyRequest, token_in
from adapters.http.api.organizations import NO_STORE
from adapters.http.api.views import WhoamiView


@get("/whoami", name="whoami")
async def whoami(
    request: AnyRequest, administration: NamedDependency[Administration]
) -> Response[WhoamiView]:
    found = administration.access.identify(token_in(request))
    return Response(
        WhoamiView(organization=found.organization, team=found.team, scopes=found.scopes),
        headers=NO_STORE,
    )
