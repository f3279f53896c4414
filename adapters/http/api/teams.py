"""An organization's teams over HTTP."""

from __future__ import annotations

from asyncio import to_thread

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from adapters.http.api.administration import Administration, AnyRequest
from adapters.http.api.json_body import blamed_on_body, read_json
from adapters.http.api.views import NewTeam, TeamsView, TeamView
from application.organizations.create_team import CreateTeam

_decoder = msgspec.json.Decoder(NewTeam)


@get("/organizations/{organization:str}/teams", name="list_teams")
async def list_teams(
    request: AnyRequest,
    organization: FromPath[str],
    administration: NamedDependency[Administration],
) -> Response[TeamsView]:
    administration.require_admin(request, organization, None)
    teams = await to_thread(administration.manage.look_ups.teams, organization)
    return Response(TeamsView(list(map(TeamView.of, teams))))


@post("/organizations/{organization:str}/teams", name="create_team")
async def create_team(
    request: AnyRequest,
    organization: FromPath[str],
    administration: NamedDependency[Administration],
) -> Response[TeamView]:
    administration.require_admin(request, organization, None)
    body = await read_json(request, _decoder)
    with blamed_on_body():
        team = await to_thread(
            administration.manage.create_team,
            CreateTeam(organization=organization, name=body.name),
        )
    return Response(
        TeamView.of(team),
        status_code=201,
        headers={"Location": f"/organizations/{organization}/teams/{team.name}"},
    )


@get("/organizations/{organization:str}/teams/{team:str}", name="show_team")
async def show_team(
    request: AnyRequest,
    organization: FromPath[str],
    team: FromPath[str],
    administration: NamedDependency[Administration],
) -> Response[TeamView]:
    administration.require_admin(request, organization, team)
    found = await to_thread(administration.manage.look_ups.team, organization, team)
    return Response(TeamView.of(found))
