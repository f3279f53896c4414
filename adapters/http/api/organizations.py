"""Organizations over HTTP: registered by the operator, shown to their own administrators."""

from __future__ import annotations

from asyncio import to_thread

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from adapters.http.api.administration import Administration, AnyRequest
from adapters.http.api.json_body import blamed_on_body, read_json
from adapters.http.api.views import (
    IssuedTokenView,
    NewOrganization,
    OrganizationView,
    RegisteredOrganizationView,
)
from application.organizations.register_organization import RegisterOrganization

NO_STORE = {"Cache-Control": "no-store"}

_decoder = msgspec.json.Decoder(NewOrganization)


@post("/organizations", name="register_organization")
async def register_organization(
    request: AnyRequest, administration: NamedDependency[Administration]
) -> Response[RegisteredOrganizationView]:
    administration.require_operator(request)
    body = await read_json(request, _decoder)
    command = RegisterOrganization(
        name=body.name,
        email=body.email,
        notification_url=body.notification_url,
        scopes=body.scopes,
    )
    with blamed_on_body():
        organization, issued = await to_thread(administration.manage.register_organization, command)
    return Response(
        RegisteredOrganizationView(
            organization=OrganizationView.of(organization),
            default_token=IssuedTokenView.of(issued),
        ),
        status_code=201,
        headers={"Location": f"/organizations/{organization.name}", **NO_STORE},
    )


@get("/organizations/{organization:str}", name="show_organization")
async def show_organization(
    request: AnyRequest,
    organization: FromPath[str],
    administration: NamedDependency[Administration],
) -> Response[OrganizationView]:
    administration.require_admin(request, organization, None)
    found = await to_thread(administration.manage.look_ups.organization, organization)
    return Response(OrganizationView.of(found))
