"""Decisions on organizations: the events or the refusal, for a given history and command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import (
    InvalidArgument,
    LastToken,
    OrganizationExists,
    TeamExists,
    TooManyTokens,
    UnknownOrganization,
    UnknownTeam,
    UnknownToken,
)
from domain.events import (
    LimitsSet,
    OrganizationErased,
    OrganizationRegistered,
    TeamCreated,
    TokenIssued,
    TokenRevoked,
)
from domain.limits import MAX_SERIES, OrganizationLimits
from domain.organization import (
    MAX_URL_LENGTH,
    Organization,
    create_team,
    erase,
    find_token,
    issue_token,
    organization_id,
    owner_words,
    project,
    register,
    revoke_token,
    set_limits,
)
from domain.token import MAX_ACTIVE_TOKENS, MAX_DESCRIPTION_LENGTH
from tests.domain.samples import MINUTE, NOW, History

HOUR = timedelta(hours=1)
BAD_NAMES = ["", "a" * 128, "a b", "a/b", "_a", ".a", "-a", "a\n", "é", "a:b", "a\x00", "{a}"]


def issue(
    organization: Organization,
    now: datetime,
    *,
    team: str | None = None,
    scopes: tuple[str, ...] = ("publish",),
) -> tuple[object, ...]:
    return issue_token(organization, token_id="new", digest="d", team=team, scopes=scopes, now=now)


class TestRegister:
    def test_given_nothing_it_is_registered_as_its_first_event(self) -> None:
        events = register(
            None, "gilt", email="ops@gilt.com", notification_url="https://gilt.com/hook", now=NOW
        )
        assert events == (
            OrganizationRegistered(
                originator_id="organization:gilt",
                originator_version=1,
                timestamp=NOW,
                name="gilt",
                email="ops@gilt.com",
                notification_url="https://gilt.com/hook",
            ),
        )

    def test_given_one_of_that_name_it_is_refused(self) -> None:
        with pytest.raises(OrganizationExists, match="there already is an organization 'gilt'"):
            register(History("gilt").state, "gilt", now=NOW)

    def test_ids_derive_from_names_so_that_a_name_is_taken_once(self) -> None:
        assert organization_id("gilt") == "organization:gilt"
        assert organization_id("gilt") != organization_id("Gilt")

    @pytest.mark.parametrize("name", ["gilt", "3com", "a" * 127, "a.b-c_d"])
    def test_a_name_is_a_word_that_may_begin_with_a_digit(self, name: str) -> None:
        (event,) = register(None, name, now=NOW)
        assert event.originator_id == f"organization:{name}"

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_any_other_name_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidArgument, match=r"^the organization's name must "):
            register(None, name, now=NOW)

    @pytest.mark.parametrize("email", ["a@b", "first.last+tag@sub.gilt.com", "é@gilt.com"])
    def test_an_email_address_has_something_on_both_sides_of_one_at_sign(self, email: str) -> None:
        (event,) = register(None, "gilt", email=email, now=NOW)
        assert isinstance(event, OrganizationRegistered)
        assert event.email == email

    @pytest.mark.parametrize(
        "email",
        ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", "a@b\r\nBcc: c@d", "a@\x00",
         "a@b\x7f", "a@" + "b" * 126, "a@b\ud800", "\u200ba@b"],
    )  # fmt: skip
    def test_any_other_email_address_is_refused(self, email: str) -> None:
        with pytest.raises(InvalidArgument, match=r"is not an e-mail address$"):
            register(None, "gilt", email=email, now=NOW)

    @pytest.mark.parametrize(
        "url",
        ["http://gilt.com", "https://gilt.com:8443/a?b=c#d", "HTTPS://gilt.com", "http://[::1]/",
         "http://u:p@gilt.com/", "https://gilt.com/" + "a" * (MAX_URL_LENGTH - 17)],
    )  # fmt: skip
    def test_a_notification_url_is_http_or_https_with_a_host(self, url: str) -> None:
        (event,) = register(None, "gilt", notification_url=url, now=NOW)
        assert isinstance(event, OrganizationRegistered)
        assert event.notification_url == url

    @pytest.mark.parametrize(
        "url",
        ["", "gilt.com", "//gilt.com", "http://", "http:///path", "http://:80/", "https:gilt.com",
         "ftp://gilt.com", "file:///etc/passwd", "javascript:alert(1)", "http://[::1", " http://a",
         "http://gilt.com/a b", "http://gilt.com/\n", "http://gilt.com/\x7f", "http://gilt.com:x/",
         "http://gilt.com:65536/", "http://gilt.com:0/", "http://gilt.com/\ud800",
         "http://gilt.com/" + "a" * 200 + "\r\nHost: evil",
         "https://gilt.com/" + "a" * (MAX_URL_LENGTH - 16)],
    )  # fmt: skip
    def test_any_other_url_is_refused(self, url: str) -> None:
        with pytest.raises(InvalidArgument, match=r"is not an http or https URL$"):
            register(None, "gilt", notification_url=url, now=NOW)

    def test_an_invalid_argument_is_reported_even_if_the_name_is_taken(self) -> None:
        with pytest.raises(InvalidArgument):
            register(History("gilt").state, "gilt", email="nonsense", now=NOW)


class TestCreateTeam:
    def test_given_an_organization_a_team_is_its_next_event(self) -> None:
        gilt = History().token("t1").state
        assert create_team(gilt, "web", NOW) == (
            TeamCreated(
                originator_id="organization:gilt", originator_version=3, timestamp=NOW, name="web"
            ),
        )

    def test_given_that_team_it_is_refused(self) -> None:
        with pytest.raises(TeamExists, match="organization 'gilt' already has a team 'web'"):
            create_team(History().team("web").state, "web", NOW)

    def test_given_that_team_elsewhere_it_is_created(self) -> None:
        assert "web" in History("gilt").team("web").state.teams
        assert len(create_team(History("other").state, "web", NOW)) == 1

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_an_invalid_name_is_refused(self, name: str) -> None:
        with pytest.raises(InvalidArgument, match=r"^the team's name must "):
            create_team(History().state, name, NOW)


class TestIssueToken:
    def test_given_an_organization_a_token_is_its_next_event(self) -> None:
        events = issue_token(
            History().team("web").state,
            token_id="t1",
            digest="d1",
            team="web",
            description="for the build",
            scopes=["read", "publish", "read"],
            expires_at=NOW + HOUR,
            now=NOW,
        )
        assert events == (
            TokenIssued(
                originator_id="organization:gilt",
                originator_version=3,
                timestamp=NOW,
                token_id="t1",
                team="web",
                description="for the build",
                scopes=("publish", "read"),
                digest="d1",
                expires_at=NOW + HOUR,
            ),
        )

    def test_by_default_it_is_the_organizations_for_publishing_and_never_expires(self) -> None:
        (event,) = issue_token(History().state, token_id="t1", digest="d1", now=NOW)
        assert isinstance(event, TokenIssued)
        assert (event.team, event.description, event.scopes) == (None, "", ("publish",))
        assert event.expires_at is None

    def test_for_an_unknown_team_it_is_refused(self) -> None:
        with pytest.raises(UnknownTeam, match="has no team 'web'"):
            issue(History().state, NOW, team="web")

    def test_given_three_active_ones_of_the_scope_set_a_fourth_is_refused_naming_them(
        self,
    ) -> None:
        history = History().token("t1").token("t2").token("t3")
        assert MAX_ACTIVE_TOKENS == 3
        with pytest.raises(TooManyTokens) as refusal:
            issue(history.state, history.now)
        assert str(refusal.value) == (
            "organization 'gilt' already has 3 active tokens with scopes publish (t1, t2, t3); "
            "revoke one first"
        )

    def test_given_three_of_a_team_the_message_names_the_team(self) -> None:
        history = History().team("web")
        for token_id in ("t1", "t2", "t3"):
            history.token(token_id, team="web")
        with pytest.raises(
            TooManyTokens, match=r"^team 'web' of organization 'gilt' already has 3"
        ):
            issue(history.state, history.now, team="web")

    def test_order_and_repetition_of_scopes_do_not_matter(self) -> None:
        history = History().token("t1", scopes=("read", "publish"))
        history.token("t2", scopes=("publish", "read")).token("t3", scopes=("read", "publish"))
        with pytest.raises(TooManyTokens):
            issue(history.state, history.now, scopes=("publish", "read", "publish"))

    @pytest.mark.parametrize("scopes", [("read",), ("admin",), ("publish", "read")])
    def test_each_scope_set_is_counted_separately(self, scopes: tuple[str, ...]) -> None:
        history = History().token("t1").token("t2").token("t3")
        assert len(issue(history.state, history.now, scopes=scopes)) == 1

    def test_each_team_and_the_organization_are_counted_separately(self) -> None:
        history = History().team("web").team("ops")
        for token_id in ("t1", "t2", "t3"):
            history.token(token_id, team="web")
        assert len(issue(history.state, history.now)) == 1
        assert len(issue(history.state, history.now, team="ops")) == 1
        for token_id in ("t4", "t5", "t6"):
            history.token(token_id)
        assert len(issue(history.state, history.now, team="ops")) == 1
        with pytest.raises(TooManyTokens):
            issue(history.state, history.now)

    def test_revoked_ones_do_not_count(self) -> None:
        history = History().token("t1").token("t2").token("t3").revoked("t2")
        assert len(issue(history.state, history.now)) == 1

    def test_expired_ones_do_not_count_from_the_instant_of_expiry_on(self) -> None:
        history = History().token("t1").token("t2").token("t3", expires_in=HOUR)
        expiry = history.now + HOUR
        with pytest.raises(TooManyTokens):
            issue(history.state, expiry - timedelta(microseconds=1))
        assert len(issue(history.state, expiry)) == 1

    def test_an_expiry_must_be_in_the_future(self) -> None:
        def expiring(at: datetime) -> None:
            issue_token(History().state, token_id="t", digest="d", expires_at=at, now=NOW)

        expiring(NOW + timedelta(microseconds=1))
        for past in (NOW, NOW - MINUTE, datetime.min.replace(tzinfo=UTC)):
            with pytest.raises(InvalidArgument, match="must expire in the future"):
                expiring(past)

    @pytest.mark.parametrize("description", ["", "for the build", "né 名 😀", "x" * 255])
    def test_a_description_is_up_to_255_printable_characters(self, description: str) -> None:
        (event,) = issue_token(
            History().state, token_id="t", digest="d", description=description, now=NOW
        )
        assert isinstance(event, TokenIssued)
        assert event.description == description

    @pytest.mark.parametrize(
        "description", ["x" * 256, "a\nb", "a\tb", "\x1b[31m", "\ud800", "\x7f"]
    )
    def test_any_other_description_is_refused(self, description: str) -> None:
        assert MAX_DESCRIPTION_LENGTH == 255
        with pytest.raises(InvalidArgument, match="at most 255 printable characters"):
            issue_token(History().state, token_id="t", digest="d", description=description, now=NOW)

    def test_an_unknown_scope_or_none_is_refused(self) -> None:
        for scopes in (("write",), ()):
            with pytest.raises(InvalidArgument):
                issue(History().state, NOW, scopes=scopes)


class TestRevokeToken:
    def test_given_a_token_its_revocation_is_the_next_event(self) -> None:
        events = revoke_token(History().token("t1").state, "t1", keep_last=False, now=NOW)
        assert events == (
            TokenRevoked(
                originator_id="organization:gilt",
                originator_version=3,
                timestamp=NOW,
                token_id="t1",
            ),
        )

    @pytest.mark.parametrize("keep_last", [False, True])
    def test_given_it_is_revoked_nothing_happens(self, keep_last: bool) -> None:
        history = History().token("t1").revoked("t1")
        assert revoke_token(history.state, "t1", keep_last=keep_last, now=history.now) == ()

    @pytest.mark.parametrize("keep_last", [False, True])
    def test_an_unknown_token_is_refused(self, keep_last: bool) -> None:
        with pytest.raises(UnknownToken, match="organization 'gilt' has no token 't2'"):
            revoke_token(History().token("t1").state, "t2", keep_last=keep_last, now=NOW)

    def test_the_last_active_token_can_be_kept(self) -> None:
        state = History().token("t1").state
        with pytest.raises(LastToken) as refusal:
            revoke_token(state, "t1", keep_last=True, now=NOW)
        assert str(refusal.value) == (
            "t1 is the last active token of organization 'gilt'; issue another one first"
        )
        assert len(revoke_token(state, "t1", keep_last=False, now=NOW)) == 1

    def test_another_active_token_of_any_scope_frees_it(self) -> None:
        state = History().token("t1").token("t2", scopes=("read",)).state
        assert len(revoke_token(state, "t1", keep_last=True, now=NOW)) == 1

    def test_another_owners_token_does_not_free_it(self) -> None:
        history = History().team("web").team("ops").token("org").token("web", team="web")
        history.token("ops", team="ops")
        for token_id in ("org", "web", "ops"):
            with pytest.raises(LastToken):
                revoke_token(history.state, token_id, keep_last=True, now=history.now)

    def test_expired_and_revoked_tokens_do_not_count_as_others(self) -> None:
        history = History().token("t1").token("t2", expires_in=HOUR).token("t3").revoked("t3")
        expiry = history.now - 2 * MINUTE + HOUR
        before = expiry - timedelta(microseconds=1)
        assert len(revoke_token(history.state, "t1", keep_last=True, now=before)) == 1
        with pytest.raises(LastToken):
            revoke_token(history.state, "t1", keep_last=True, now=expiry)

    def test_an_expired_token_is_not_active_and_can_always_be_revoked(self) -> None:
        history = History().token("t1", expires_in=HOUR)
        later = history.now + HOUR
        assert len(revoke_token(history.state, "t1", keep_last=True, now=later)) == 1


def test_find_token_returns_revoked_ones_too() -> None:
    history = History().token("t1").revoked("t1")
    assert find_token(history.state, "t1").revoked_at == history.now


def test_an_owner_is_named_in_words() -> None:
    assert owner_words("gilt", None) == "organization 'gilt'"
    assert owner_words("gilt", "web") == "team 'web' of organization 'gilt'"


class TestErase:
    def test_the_next_event_says_so_and_all_tokens_are_revoked(self) -> None:
        history = History().token("t1").token("t2").revoked("t1")
        before = history.state
        events = erase(before, NOW + timedelta(days=1))
        assert [type(event) for event in events] == [OrganizationErased]
        assert events[0].originator_version == before.version + 1
        after = project(before, events)
        assert after is not None
        assert after.erased_at == NOW + timedelta(days=1)
        assert after.active_tokens(None, NOW) == []
        assert after.tokens["t1"] == before.tokens["t1"], "it was revoked before"
        assert after.tokens["t2"].revoked_at == after.erased_at

    def test_an_erased_one_takes_no_teams_and_no_tokens_and_is_erased_once(self) -> None:
        before = History().state
        erased = project(before, erase(before, NOW))
        assert erased is not None
        assert erase(erased, NOW) == ()
        with pytest.raises(UnknownOrganization, match="was erased"):
            create_team(erased, "web", NOW)
        with pytest.raises(UnknownOrganization, match="was erased"):
            issue_token(erased, token_id="t", digest="d", now=NOW)
        with pytest.raises(OrganizationExists):
            register(erased, "gilt", now=NOW)


class TestSetLimits:
    OWN = OrganizationLimits(points_per_second=5.0, burst=100, series=1000)

    def test_the_next_event_has_all_limits(self) -> None:
        before = History().state
        events = set_limits(before, self.OWN, NOW)
        [event] = events
        assert isinstance(event, LimitsSet)
        assert event.originator_version == before.version + 1
        assert (event.points_per_second, event.burst, event.series) == (5.0, 100, 1000)
        after = project(before, events)
        assert after is not None
        assert after.limits == self.OWN
        assert set_limits(after, self.OWN, NOW) == ()
        cleared = project(after, set_limits(after, OrganizationLimits(), NOW))
        assert cleared is not None
        assert cleared.limits == OrganizationLimits()

    @pytest.mark.parametrize("rate", [0.0, -1.0, 1e13, float("inf"), float("nan")])
    def test_a_rate_is_positive_and_finite(self, rate: float) -> None:
        with pytest.raises(InvalidArgument, match="points per second"):
            set_limits(History().state, OrganizationLimits(points_per_second=rate), NOW)

    @pytest.mark.parametrize("series", [0, -1, MAX_SERIES + 1])
    def test_a_limit_of_series_allows_some(self, series: int) -> None:
        with pytest.raises(InvalidArgument, match="series"):
            set_limits(History().state, OrganizationLimits(series=series), NOW)

    @pytest.mark.parametrize("burst", [0, -1, 10**13])
    def test_a_burst_has_points(self, burst: int) -> None:
        with pytest.raises(InvalidArgument, match="burst"):
            set_limits(History().state, OrganizationLimits(burst=burst), NOW)

    def test_an_erased_one_takes_no_limits(self) -> None:
        before = History().state
        erased = project(before, erase(before, NOW))
        assert erased is not None
        with pytest.raises(UnknownOrganization, match="was erased"):
            set_limits(erased, self.OWN, NOW)
