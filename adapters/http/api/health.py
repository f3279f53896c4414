"""An organization's health over HTTP."""

from __future__ import annotations

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from adapters.http.api.administration import Administration, AnyRequest, token_in
from adapters.http.api.operations import NO_CACHE
from adapters.http.api.views import HealthView
from application.organization_health import OrganizationHealthHandler
from domain.token import Scope


@get("/organizations/{organization:str}/health", name="show_health")
async def show_health(
    request: AnyRequest,
    organization: FromPath[str],
    administration: NamedDependency[Administration],
    organization_health: NamedDependency[SkipValidation[OrganizationHealthHandler]],
) -> Response[HealthView]:
    administration.access.grant(organization, None, token_in(request), Scope.READ)
    return Response(HealthView.of(await organization_health(organization)), headers=NO_CACHE)
