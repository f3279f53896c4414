"""Tokens: scopes, expiry, digests."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from freezegun import freeze_time
from msgspec.structs import replace

from domain.errors import InvalidArgument
from domain.token import Scope, Token, scope_set, token_digest
from tests.domain.samples import NOW

TOKEN = Token(
    id="t1", team=None, description="", scopes=(Scope.PUBLISH,), digest="d", created_at=NOW
)
MICROSECOND = timedelta(microseconds=1)


def test_a_token_without_expiry_never_expires() -> None:
    assert TOKEN.is_active(NOW + timedelta(days=100_000))


def test_a_token_is_active_before_its_expiry_and_expired_from_then_on() -> None:
    token = replace(TOKEN, expires_at=NOW)
    assert token.is_active(NOW - MICROSECOND)
    assert not token.is_active(NOW)
    assert not token.is_active(NOW + MICROSECOND)


def test_a_revoked_token_is_not_active_even_before_its_expiry() -> None:
    token = replace(TOKEN, expires_at=NOW + timedelta(days=1), revoked_at=NOW)
    assert not token.is_active(NOW)


def test_a_token_of_90_days_works_on_the_90th_day_and_not_after() -> None:
    with freeze_time(NOW) as clock:
        issued = datetime.now(tz=NOW.tzinfo)
        token = replace(TOKEN, created_at=issued, expires_at=issued + timedelta(days=90))
        clock.tick(timedelta(days=90, seconds=-1))
        assert token.is_active(datetime.now(tz=NOW.tzinfo))
        clock.tick(timedelta(seconds=1))
        assert not token.is_active(datetime.now(tz=NOW.tzinfo))


def test_the_digest_of_a_value_is_its_sha_256_in_hexadecimal() -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert token_digest("abc") == expected, "the vector of FIPS 180-4"


def test_a_scope_set_is_sorted_and_holds_each_scope_once() -> None:
    assert scope_set(["read", "publish", "read", Scope.ADMIN]) == ("admin", "publish", "read")
    assert scope_set(["publish", "read"]) == scope_set(["read", "publish"])


def test_an_unknown_scope_is_refused_naming_it_and_the_known_ones() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        scope_set(["publish", "write"])
    assert str(refusal.value) == "'write' is not a valid Scope; scopes are publish, read, admin"


@pytest.mark.parametrize("scope", ["", "Publish", "publish ", "publish\n"])
def test_a_scope_must_be_spelled_exactly(scope: str) -> None:
    with pytest.raises(InvalidArgument):
        scope_set([scope])


def test_a_token_has_at_least_one_scope() -> None:
    with pytest.raises(InvalidArgument, match="at least one scope"):
        scope_set([])
