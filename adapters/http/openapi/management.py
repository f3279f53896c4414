"""Organizations, teams and tokens in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.http.api import views
from adapters.http.openapi.parts import (
    LOCATION,
    NO_STORE,
    ORGANIZATION,
    TEAM,
    TOKEN,
    Json,
    answers,
    path_parameter,
    problems,
    takes,
)

_ACCESS = {
    401: "no usable credentials, or a scheme that is neither Basic nor Bearer.",
    403: "the token is unknown, revoked or expired, belongs to another owner, or lacks the scope "
    "`admin`.",
    404: "no such organization, team or token.",
    503: "the service cannot use its log at the moment.",
}
_BODY = {
    400: "the body is not JSON, or a field is missing, unknown or invalid.",
    413: "the body is larger than 64 KiB.",
    415: "the media type is not JSON, or the body has a content encoding.",
}
_ISSUED = {"Location": LOCATION, "Cache-Control": NO_STORE}
_TEAMS: Json = {
    "name": "teams",
    "in": "query",
    "description": "Whether to list the tokens of its teams as well.",
    "schema": {"type": "boolean", "default": False},
}
_TOKEN_ID = path_parameter("token_id", "The token's id.", {"type": "string"})


def _operation(name: str, tag: str, summary: str, responses: Json, **more: object) -> Json:
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "security": TOKEN,
        "responses": responses,
        **more,
    }


def _token_paths(
    prefix: str,
    owner: str,
    words: str,
    parameters: list[Json],
    list_parameters: Sequence[Json] = (),
) -> Json:
    """Describe the four operations on the tokens of an organization, or of a team."""
    list_problems = {400: "a parameter is unknown or invalid."} if list_parameters else {}
    return {
        f"{prefix}/tokens": {
            "parameters": parameters,
            "get": _operation(
                f"list{owner}Tokens",
                "tokens",
                f"List the tokens of {words}",
                {
                    "200": answers(views.TokensView, "All of them, oldest first, without values."),
                    **problems({**list_problems, **_ACCESS}),
                },
                **({"parameters": list_parameters} if list_parameters else {}),
            ),
            "post": _operation(
                f"issue{owner}Token",
                "tokens",
                f"Issue a token for {words}",
                {
                    "201": answers(
                        views.IssuedTokenView,
                        "Issued. The value is shown only in this answer.",
                        _ISSUED,
                    ),
                    **problems(
                        {
                            **_BODY,
                            **_ACCESS,
                            409: "the owner already has three active tokens with these scopes.",
                        }
                    ),
                },
                requestBody=takes(
                    views.NewToken,
                    {"description": "web servers", "scopes": ["publish"], "expires_in": "90d"},
                ),
            ),
        },
        f"{prefix}/tokens/{{token_id}}": {
            "parameters": [*parameters, _TOKEN_ID],
            "get": _operation(
                f"show{owner}Token",
                "tokens",
                f"Show a token of {words}",
                {
                    "200": answers(views.TokenView, "The token, without its value."),
                    **problems(_ACCESS),
                },
            ),
            "delete": _operation(
                f"revoke{owner}Token",
                "tokens",
                f"Revoke a token of {words}",
                {
                    "204": {"description": "Revoked by this request or earlier."},
                    **problems({**_ACCESS, 409: "it is the owner's last active token."}),
                },
                description="Every worker refuses the token within one second.",
            ),
        },
    }


PATHS: Json = {
    "/whoami": {
        "get": _operation(
            "whoami",
            "tokens",
            "Show the owner and the scopes of a token",
            {
                "200": answers(
                    views.WhoamiView,
                    "The owner of the presented token, whatever its scopes.",
                    {"Cache-Control": NO_STORE},
                ),
                **problems(
                    {
                        401: _ACCESS[401],
                        403: "the token is unknown, revoked or expired.",
                        503: _ACCESS[503],
                    }
                ),
            },
        )
    },
    "/organizations": {
        "post": _operation(
            "registerOrganization",
            "organizations",
            "Register an organization",
            {
                "201": answers(
                    views.RegisteredOrganizationView,
                    "Registered, with its first token. The value is shown only in this answer.",
                    _ISSUED,
                ),
                **problems(
                    {
                        **_BODY,
                        401: _ACCESS[401],
                        403: "the token is not the operator's, or no operator token is set.",
                        409: "the name is taken.",
                        503: _ACCESS[503],
                    }
                ),
            },
            description="Needs the operator's token, which is the value of CAVE_OPERATOR_TOKEN.",
            requestBody=takes(
                views.NewOrganization,
                {"name": "gilt", "email": "metrics@gilt.example", "scopes": ["publish", "admin"]},
            ),
        )
    },
    "/organizations/{organization}/refused": {
        "parameters": [ORGANIZATION],
        "get": _operation(
            "listRefusedPoints",
            "organizations",
            "List the points that were refused",
            {
                "200": answers(
                    views.RefusedPointsView,
                    "The last thousand refusals, those for teams included, the newest first.",
                ),
                **problems(_ACCESS),
            },
            description="Points are refused one by one by the protocols of other agents, and by "
            "JSON with `partial=true`, while the rest of their body is stored.",
        ),
    },
    "/organizations/{organization}/health": {
        "parameters": [ORGANIZATION],
        "get": _operation(
            "showHealth",
            "organizations",
            "Show an organization's health",
            {
                "200": answers(
                    views.HealthView,
                    "Its points of the last hour, its partition of the log, and how far the "
                    "projections have read that.",
                    {"Cache-Control": NO_STORE},
                ),
                **problems({**_ACCESS, 403: _ACCESS[403].replace("admin", "read")}),
            },
            description="Points are counted when they are accepted, whatever their own time, and "
            "those of teams are included. The counts may be seconds old.",
        ),
    },
    "/organizations/{organization}": {
        "parameters": [ORGANIZATION],
        "get": _operation(
            "showOrganization",
            "organizations",
            "Show an organization",
            {
                "200": answers(views.OrganizationView, "The organization."),
                **problems(_ACCESS),
            },
        ),
    },
    "/organizations/{organization}/teams": {
        "parameters": [ORGANIZATION],
        "get": _operation(
            "listTeams",
            "organizations",
            "List an organization's teams",
            {"200": answers(views.TeamsView, "All of them, by name."), **problems(_ACCESS)},
        ),
        "post": _operation(
            "createTeam",
            "organizations",
            "Create a team",
            {
                "201": answers(views.TeamView, "Created.", {"Location": LOCATION}),
                **problems(
                    {**_BODY, **_ACCESS, 409: "the organization already has a team of this name."}
                ),
            },
            requestBody=takes(views.NewTeam, {"name": "checkout"}),
        ),
    },
    "/organizations/{organization}/teams/{team}": {
        "parameters": [ORGANIZATION, TEAM],
        "get": _operation(
            "showTeam",
            "organizations",
            "Show a team",
            {"200": answers(views.TeamView, "The team."), **problems(_ACCESS)},
        ),
    },
    **_token_paths(
        "/organizations/{organization}", "", "an organization", [ORGANIZATION], [_TEAMS]
    ),
    **_token_paths(
        "/organizations/{organization}/teams/{team}", "Team", "a team", [ORGANIZATION, TEAM]
    ),
}
