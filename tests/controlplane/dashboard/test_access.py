"""Sessions, the Host check and the CSRF check."""

import pytest

from controlplane.dashboard import access
from controlplane.dashboard.access import Sessions, act_reason, host_reason


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7470", "localhost:7470", "localhost", "[::1]:7470", "192.0.2.7", "edge.example.org:80"]
)
def test_accepts_addresses_localhost_and_the_configured_names(host: str) -> None:
    assert host_reason(host, {"edge.example.org"}) == ""


@pytest.mark.parametrize(
    "host", ["rebound.example.net:7470", "", "[::1", "localhost.example.net", "127.0.0.1.example.net"]
)
def test_refuses_every_other_name(host: str) -> None:
    assert "hostnames" in host_reason(host, {"edge.example.org"})


def test_a_session_is_found_by_its_key_alone() -> None:
    sessions = Sessions()
    session = sessions.start("secret")
    assert sessions.find(session.key) is session
    assert sessions.find(session.csrf) is None
    assert sessions.find("secret") is None
    assert sessions.find(None) is None


def test_an_idle_session_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions()
    session = sessions.start()
    session.used_at -= access.SESSION_IDLE_S + 1
    assert sessions.find(session.key) is None
    assert sessions.find(session.key) is None


def test_too_many_sessions_push_out_anonymous_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SESSIONS_MAX", 3)
    sessions = Sessions()
    signed_in = sessions.start("token")
    anonymous = [sessions.start() for _ in range(3)]
    assert sessions.find(signed_in.key) is signed_in
    assert sessions.find(anonymous[0].key) is None
    assert sessions.find(anonymous[2].key) is anonymous[2]


def test_when_all_have_signed_in_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "SESSIONS_MAX", 2)
    sessions = Sessions()
    first, second, third = (sessions.start(name) for name in "abc")
    assert sessions.find(first.key) is None
    assert sessions.find(second.key) is second
    assert sessions.find(third.key) is third


def test_acting_needs_the_sessions_csrf_token() -> None:
    session = Sessions().start()
    assert act_reason({"x-nearhop-csrf": session.csrf}, session) == ""
    assert "CSRF" in act_reason({"x-nearhop-csrf": session.key}, session)
    assert "CSRF" in act_reason({"x-nearhop-csrf": "ü"}, session)
    assert "CSRF" in act_reason({}, session)
    assert "session" in act_reason({"x-nearhop-csrf": session.csrf}, None)


def test_acting_is_for_this_origin_alone() -> None:
    session = Sessions().start()
    headers = {"x-nearhop-csrf": session.csrf, "host": "127.0.0.1:7470"}
    assert act_reason({**headers, "origin": "http://127.0.0.1:7470", "sec-fetch-site": "same-origin"}, session) == ""
    assert "origin" in act_reason({**headers, "origin": "http://127.0.0.1:9999"}, session)
    assert "origin" in act_reason({**headers, "origin": "null"}, session)
    assert "site" in act_reason({**headers, "sec-fetch-site": "cross-site"}, session)
    assert "site" in act_reason({**headers, "sec-fetch-site": "same-site"}, session)
