"""Who may talk to the idle."""

from __future__ import annotations

import http.client
import re
import socket
import urllib.parse

import pytest

from echokit_web.guard import HEADERS, SMALL, cookie_name

FORM = "application/x-www-form-urlencoded"


def enter(idle, token: str, user: str = "Anna"):
    body = urllib.parse.urlencode({"token": token, "user": user}).encode()
    return idle.ask("/enter", body, Authorization="", Content_Type=FORM)


def cookie_of(answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


def csrf_of(idle, cookie: str) -> str:
    html = idle.ask("/", Authorization="", Cookie=cookie).body.decode()
    return re.search('name="csrf" content="([^"]+)"', html)[1]


@pytest.fixture(scope="module")
def cookie(idle) -> str:
    answer = enter(idle, idle.site.sessions.once)
    assert answer.status == 303, answer.body
    return cookie_of(answer)


def test_without_a_token_nothing_is_shown_and_nothing_is_taken(idle):
    for path in ("/api/studies", "/api/studies/demo", "/api/corrections.csv", "/api/events"):
        assert idle.ask(path, Authorization="").status == 401
    for path in ("/", "/studies/demo", "/docs", "/compare"):
        answer = idle.ask(path, Authorization="")
        assert (answer.status, answer.headers["location"]) == (303, "/enter")
    assert idle.ask("/api/studies/demo", method="DELETE", Authorization="").status == 401
    assert idle.ask("/api/studies", Authorization="Bearer wrong").status == 401
    assert idle.ask("/api/openapi.json", Authorization="").status == 401


def test_a_token_lets_one_user_in_once(idle):
    token = idle.site.sessions.once
    assert idle.ask(f"/enter?token={token}", Authorization="").status == 200  # only looks
    first = enter(idle, token)
    assert first.status == 303
    assert idle.ask("/", Authorization="", Cookie=cookie_of(first)).status == 200
    again = enter(idle, token)
    assert again.status == 403
    assert "used already" in again.body.decode()
    assert "set-cookie" not in again.headers


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(idle):
    told = enter(idle, idle.site.sessions.once).headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=strict" in told
    assert cookie_name(f"127.0.0.1:{idle.port}").lower() in told


@pytest.mark.parametrize("user", ["", " ", "<b>x</b>", "a" * 41, "x\ny<script>"])
def test_a_user_has_a_plain_name(idle, user):
    token = idle.site.sessions.once
    answer = enter(idle, token, user)
    assert answer.status in (403, 422)
    assert b"<script>" not in answer.body
    assert idle.site.sessions.once == token


def test_a_change_needs_the_token_of_the_page(idle, cookie):
    path = "/api/studies/demo/readings"
    good = {"Authorization": "", "Cookie": cookie, "X_User": ""}
    refused = idle.ask(path, {"label": "mild"}, **good)
    assert (refused.status, "X-CSRF-Token" in refused.detail) == (403, True)
    assert idle.ask(path, {"label": "mild"}, **good, X_CSRF_Token="wrong").status == 403
    csrf = csrf_of(idle, cookie)
    assert idle.ask(path, {"label": "mild"}, **good, X_CSRF_Token=csrf).status == 201


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_change_from_another_page_is_refused_even_with_the_cookie(idle, cookie, origin):
    good = {"Authorization": "", "Cookie": cookie, "X_CSRF_Token": csrf_of(idle, cookie)}
    path, said = "/api/studies/demo/readings", {"label": "mild"}
    assert idle.ask(path, said, **good, Origin=origin).status == 403
    assert idle.ask(path, said, **good, Sec_Fetch_Site="cross-site").status == 403
    assert idle.ask(path, said, **good, Origin=idle.base).status == 201


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost"])
def test_another_host_is_refused_so_that_no_name_can_be_bound_to_the_page(idle, host):
    assert idle.ask("/api/studies", Host=host).status == 421
    assert idle.ask("/enter", Host=host).status == 421
    assert idle.ask("/api/studies", Host=f"localhost:{idle.port}").status == 200


@pytest.mark.parametrize("path", ["/enter", "/api/studies", "/static/style.css", "/nothing"])
def test_every_answer_has_the_headers(idle, path):
    headers = idle.ask(path).headers
    for name, value in HEADERS.items():
        assert headers[name] == value
    assert "unsafe" not in headers["content-security-policy"]


def test_no_page_has_a_script_or_style_within(idle):
    for path in ("/enter?token=%22%3E%3Cscript%3E", "/", "/studies/demo", "/docs", "/compare"):
        html = idle.ask(path).body.decode()
        assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", html)
        assert not re.search(r"""(src|href)=["'](https?:)?//""", html)


def test_a_length_that_is_declared_is_refused_before_anything_is_read(idle):
    told = f"Bearer {idle.site.folder.token()}"
    for length in (str(10 << 30), "9" * 30, "-1", "x"):
        with socket.create_connection(("127.0.0.1", idle.port), timeout=10) as opened:
            opened.sendall(
                f"POST /api/studies HTTP/1.1\r\nHost: 127.0.0.1:{idle.port}\r\n"
                f"Authorization: {told}\r\nContent-Length: {length}\r\n\r\n".encode()
            )
            assert re.match(rb"HTTP/1.1 4(13|00)", opened.recv(200))
    assert idle.ask("/api/studies").status == 200


def test_a_length_that_is_not_declared_is_counted(idle):
    connection = http.client.HTTPConnection("127.0.0.1", idle.port, timeout=20)
    headers = {"Authorization": f"Bearer {idle.site.folder.token()}"}
    headers |= {"Content-Type": "application/json"}
    pieces = (b" " * 4096 for _ in range(SMALL // 4096 + 2))
    path = "/api/studies/demo/readings"
    connection.request("POST", path, body=pieces, headers=headers, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_oversized_json_is_refused(idle):
    said = {"label": "x" * (SMALL + 1)}
    assert idle.ask("/api/studies/demo/readings", said).status == 413


def test_behind_a_proxy_the_page_answers_to_its_own_address_alone(idle):
    from starlette.datastructures import Headers

    from echokit_web.guard import Guard
    from echokit_web.start import own_hosts

    origin = "https://echo.hospital.example"
    hosts = own_hosts(1, origin)
    assert hosts == {"echo.hospital.example"}
    guard = Guard(None, idle.site.sessions, hosts, origin, idle.site.limits)  # type: ignore[arg-type]
    assert guard._is_own(Headers({"origin": origin}))
    assert not guard._is_own(Headers({"origin": "http://echo.hospital.example"}))
