"""Which token may do what, for whom; and which error comes first if there are several."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.access import authorize
from domain.errors import Forbidden, UnknownTeam
from domain.organization import Organization
from domain.token import Scope
from tests.domain.samples import History

HOUR = timedelta(hours=1)
HISTORY = (
    History()
    .team("web")
    .team("ops")
    .token("org")
    .token("org-read", scopes=("read",))
    .token("org-all", scopes=("publish", "read", "admin"))
    .token("web", team="web")
    .token("org-revoked")
    .revoked("org-revoked")
    .token("web-revoked", team="web")
    .revoked("web-revoked")
    .token("org-expiring", expires_in=HOUR)
    .token("web-expiring", team="web", expires_in=HOUR)
)
GILT = HISTORY.state
LATER = HISTORY.now + 2 * HOUR


def may(token: str | None, team: str | None, scope: Scope = Scope.PUBLISH) -> str:
    presented = None if token is None else GILT.tokens[token]
    return authorize(GILT, presented, team=team, scope=scope, now=LATER).id


@pytest.mark.parametrize("team", [None, "web", "ops"])
def test_an_organizations_token_acts_for_the_organization_and_all_its_teams(
    team: str | None,
) -> None:
    assert may("org", team) == "org"


def test_a_teams_token_acts_for_its_team() -> None:
    assert may("web", "web") == "web"


@pytest.mark.parametrize("team", [None, "ops"])
def test_a_teams_token_acts_for_nobody_else(team: str | None) -> None:
    with pytest.raises(Forbidden, match="the token is for team 'web' only"):
        may("web", team)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_acts_with_each_of_its_scopes(scope: Scope) -> None:
    assert may("org-all", None, scope) == "org-all"


@pytest.mark.parametrize(
    ("token", "scope"),
    [("org", Scope.READ), ("org", Scope.ADMIN), ("org-read", Scope.PUBLISH),
     ("org-read", Scope.ADMIN)],
)  # fmt: skip
@pytest.mark.parametrize("team", [None, "web"])
def test_no_scope_includes_another(token: str, scope: Scope, team: str | None) -> None:
    with pytest.raises(Forbidden, match=f"the token lacks the scope {scope}"):
        may(token, team, scope)


@pytest.mark.parametrize(
    ("token", "team", "reason"),
    [
        (None, None, "the token is unknown to organization 'gilt'"),
        (None, "web", "the token is unknown to organization 'gilt'"),
        ("org-revoked", None, "the token was revoked"),
        ("org-revoked", "web", "the token was revoked"),
        ("web-revoked", "web", "the token was revoked"),
        ("org-expiring", None, "the token expired"),
        ("org-expiring", "web", "the token expired"),
        ("web-expiring", "web", "the token expired"),
    ],
)
def test_an_unknown_revoked_or_expired_token_is_forbidden(
    token: str | None, team: str | None, reason: str
) -> None:
    with pytest.raises(Forbidden) as refusal:
        may(token, team)
    assert str(refusal.value) == reason


@pytest.mark.parametrize("token", [None, "org", "web", "org-revoked", "org-expiring", "org-read"])
def test_an_unknown_team_is_reported_before_anything_about_the_token(
    token: str | None,
) -> None:
    with pytest.raises(UnknownTeam, match="organization 'gilt' has no team 'qa'"):
        may(token, "qa")


def test_a_token_is_expired_from_exactly_its_expiry_on() -> None:
    token = GILT.tokens["org-expiring"]
    assert token.expires_at is not None
    just_before = token.expires_at - timedelta(microseconds=1)
    held = authorize(GILT, token, team=None, scope=Scope.PUBLISH, now=just_before)
    assert held is token
    with pytest.raises(Forbidden):
        authorize(GILT, token, team=None, scope=Scope.PUBLISH, now=token.expires_at)


def test_an_invalid_team_name_is_an_unknown_team_reported_in_one_line() -> None:
    nobody: Organization = History("empty").state
    with pytest.raises(UnknownTeam) as refusal:
        authorize(nobody, None, team="a\nb" * 100, scope=Scope.READ, now=LATER)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 200
