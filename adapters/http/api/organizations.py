"""Organizations over HTTP: registered by the operator, seen by their own administrators."""

from __future__ import annotations

from asyncio import to_thread

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from adapters.http.api.administration import Administration, AnyRequest
from adapters.http.api.json_body import blamed_on, read_json
from adapters.http.api.views import (
    IssuedTokenView,
    NewOrganization,
    OrganizationView,
    RegisteredOrganizationView,
)
from application.organizations.register_organization import RegisterOrganization
from domain.errors import InvalidArgument
from domain.names import owner_name_fault

NO_STORE = {"Cache-Control": "no-store"}

_decoder = msgspec.json.Decoder(NewOrganization)


@post("/organizations", name="register_organization")
async def register_organization(
    request: AnyRequest, administration: NamedDependency[Administration]
) -> Response[RegisteredOrganizationView]:
    administration.require_operator(request)
    body = await read_json(request, _decoder)
    with blamed_on("/name"):
        check_owner_name(body.name)
    command = RegisterOrganization(
        name=body.name,
        email=body.email,
        notification_url=body.notification_url,
        scopes=body.scopes,
    )
    with blamed_on():
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


def check_owner_name(name: str) -> None:
    """Raise InvalidArgument unless it may name an organization or a team."""
    if fault := owner_name_fault(name):
        raise InvalidArgument(f"the name {fault}")
