"""Any body sent to create an organization, team or token either creates it or is refused."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.bodies import anything, mutated, names, objects, texts, values_as_json
from tests.fuzz.conftest import Answer, Target, many
from tests.service import OPERATOR

scopes = values_as_json(
    st.lists(st.sampled_from(["publish", "read", "admin"]), min_size=1, max_size=4)
)
durations = values_as_json(
    st.from_regex("[0-9]{1,12}[smhdw]", fullmatch=True)
    | st.sampled_from(["1s", "0d", "\u0661d", ""])
)
urls = st.sampled_from(["http://a.b/c", "http://[", "https://a:99999/", "http://a:0", "ftp://a"])
emails = st.sampled_from(["a@b", "a@b@c", "@", "a@\n", "a@b\x85"])

FIELDS = {
    "/organizations": [
        (b'"name"', values_as_json(names)),
        (b'"email"', values_as_json(emails | texts)),
        (b'"notification_url"', values_as_json(urls | texts)),
        (b'"scopes"', scopes),
    ],
    "/organizations/gilt/teams": [(b'"name"', values_as_json(names))],
    "/organizations/gilt/tokens": [
        (b'"description"', values_as_json(texts)),
        (b'"scopes"', scopes),
        (b'"expires_in"', durations),
    ],
}


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, bytes]:
    """Return a path and a body for it, which is valid more often than not."""
    path = draw(st.sampled_from(sorted(FIELDS)))
    fields = [
        (name, draw(anything if draw(st.integers(0, 9)) == 0 else good))
        for name, good in FIELDS[path]
    ]
    body = objects(fields)
    return path, draw(body if draw(st.integers(0, 4)) else mutated(body))


@many
@given(command=commands())
def test_any_body_is_accepted_or_refused(target: Target, command: tuple[str, bytes]) -> None:
    path, body = command
    token = OPERATOR if path == "/organizations" else target.token
    answer = target.send(body, {"Authorization": f"Bearer {token}"}, path)
    assert answer.status in (201, 400, 409, 413), answer
    if answer.status != 201:
        assert answer.problem()["detail"]
        return
    if path.endswith("/tokens"):
        _revoke(target, answer)


def _revoke(target: Target, issued: Answer) -> None:
    """Make room: an owner may have three active tokens per scope set."""
    path = f"/organizations/gilt/tokens/{json.loads(issued.body)['id']}"
    target.service.ask("DELETE", path, token=target.token)
