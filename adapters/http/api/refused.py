"""An organization's refused points over HTTP."""

from __future__ import annotations

from asyncio import to_thread

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from adapters.http.api.administration import Administration, AnyRequest
from adapters.http.api.views import RefusedPointsView, RefusedView
from application.publishing.refused_points import RefusedPoints


@get("/organizations/{organization:str}/refused", name="list_refused")
async def list_refused(
    request: AnyRequest,
    organization: FromPath[str],
    administration: NamedDependency[Administration],
    refused_points: NamedDependency[SkipValidation[RefusedPoints]],
) -> Response[RefusedPointsView]:
    administration.require_admin(request, organization, None)
    kept = await to_thread(refused_points.last, organization)
    return Response(RefusedPointsView([RefusedView.of(refusal) for refusal in reversed(kept)]))
