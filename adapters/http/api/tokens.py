"""Tokens over HTTP: an organization's, and under a team's path the team's."""

from __future__ import annotations

from asyncio import to_thread
from datetime import timedelta

import msgspec
from litestar import Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, SkipValidation

from adapters.http.api.administration import Administration, AnyRequest
from adapters.http.api.json_body import blamed_on_body, read_json
from adapters.http.api.organizations import NO_STORE
from adapters.http.api.query_parameters import flag
from adapters.http.api.views import IssuedTokenView, NewToken, TokensView, TokenView
from adapters.http.errors import InvalidBody
from application.durations import parse_duration
from application.organizations.issue_token import IssueToken
from application.organizations.revoke_own_token import RevokeOwnToken
from application.usage.token_uses import TokenUses
from domain.errors import Fault

TOKENS = [
    "/organizations/{organization:str}/tokens",
    "/organizations/{organization:str}/teams/{team:str}/tokens",
]
TOKEN = [path + "/{token_id:str}" for path in TOKENS]

_decoder = msgspec.json.Decoder(NewToken)


@get(TOKENS, name="list_tokens")
async def list_tokens(
    request: AnyRequest,
    organization: FromPath[str],
    administration: NamedDependency[Administration],
    token_uses: NamedDependency[SkipValidation[TokenUses]],
    team: FromPath[str | None] = None,
) -> Response[TokensView]:
    administration.require_admin(request, organization, team)
    look_ups = administration.manage.look_ups
    if team is None and flag(request.scope["query_string"], "teams"):
        tokens = await to_thread(look_ups.all_tokens, organization)
    else:
        tokens = await to_thread(look_ups.tokens, organization, team)
    used = await to_thread(token_uses, organization, tokens)
    now = administration.now()
    return Response(TokensView([TokenView.of(t, now, used.get(t.id)) for t in tokens]))


@post(TOKENS, name="issue_token")
async def issue_token(
    request: AnyRequest,
    organization: FromPath[str],
    administration: NamedDependency[Administration],
    team: FromPath[str | None] = None,
) -> Response[IssuedTokenView]:
    administration.require_admin(request, organization, team)
    body = await read_json(request, _decoder)
    command = IssueToken(
        organization=organization,
        team=team,
        description=body.description,
        scopes=body.scopes,
        expires_in=_lifetime(body.expires_in),
    )
    with blamed_on_body():
        issued = await to_thread(administration.manage.issue_token, command)
    location = f"{request.scope['path']}/{issued.token.id}"
    return Response(
        IssuedTokenView.of(issued), status_code=201, headers={"Location": location, **NO_STORE}
    )


@get(TOKEN, name="show_token")
async def show_token(
    request: AnyRequest,
    organization: FromPath[str],
    token_id: FromPath[str],
    administration: NamedDependency[Administration],
    token_uses: NamedDependency[SkipValidation[TokenUses]],
    team: FromPath[str | None] = None,
) -> Response[TokenView]:
    administration.require_admin(request, organization, team)
    look_ups = administration.manage.look_ups
    token = await to_thread(look_ups.token, organization, team, token_id)
    used = await to_thread(token_uses, organization, [token])
    return Response(TokenView.of(token, administration.now(), used.get(token_id)))


@delete(TOKEN, name="revoke_token")
async def revoke_token(
    request: AnyRequest,
    organization: FromPath[str],
    token_id: FromPath[str],
    administration: NamedDependency[Administration],
    team: FromPath[str | None] = None,
) -> None:
    administration.require_admin(request, organization, team)
    await to_thread(
        administration.manage.revoke_own_token,
        RevokeOwnToken(organization=organization, team=team, token_id=token_id),
    )


def _lifetime(text: str | None) -> timedelta | None:
    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise InvalidBody(Fault(None, "/expires_in", str(error))) from None
