"""Who may talk to the page: hosts, sessions, tokens, limits, and the headers of every answer."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOURS = 12
"""How long a session lasts."""
SMALL = 64 << 10
"""Bytes of a request that carries no files."""
OPEN = ("/enter", "/static/")
"""Paths that need no session."""
USER = re.compile(r"[\w][\w .'-]{0,39}")
"""A user's name."""
DOCUMENT_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""Of pages of results, which hold their own style and pictures, and no script."""
HEADERS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; object-src 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Session:
    """A browser, or a program, that was let in."""

    user: str
    """Name of the user, for the audit log."""
    csrf: str
    """What a browser sends along with every change."""
    until: float
    """When it ends, in seconds since 1970."""


class Sessions:
    """Sessions in memory, and the one-time token that starts the next one."""

    def __init__(self, program_token: str) -> None:
        self.once = secrets.token_urlsafe(24)
        self._program = program_token
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def enter(self, token: str, user: str) -> str | None:
        """Start a session with the one-time token; None if it is not that.

        The token is used up, and another takes its place.
        """
        with self._lock:
            if not hmac.compare_digest(token.encode(), self.once.encode()):
                return None
            self.once = secrets.token_urlsafe(24)
            key = secrets.token_urlsafe(32)
            self._open[key] = Session(user, secrets.token_urlsafe(24), time.time() + HOURS * 3600)
            return key

    def of_cookie(self, key: str) -> Session | None:
        """Return the session of a cookie."""
        found = self._open.get(key)
        return found if found is not None and found.until > time.time() else None

    def of_program(self, authorization: str, user: str) -> Session | None:
        """Return the session of a program that sends `Authorization: Bearer TOKEN`."""
        if not hmac.compare_digest(authorization.encode(), f"Bearer {self._program}".encode()):
            return None
        return Session(user if USER.fullmatch(user) else "program", "", 0.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost."""

    upload: int = 4 << 30
    """Bytes of an upload."""
    files: int = 2000
    """Files of an upload, and of the archives in it."""
    unpacked: int = 8 << 30
    """Bytes of what is unpacked of one upload."""
    seconds: int = 1800
    """Seconds of an upload, and of unpacking it."""


class Guard:
    """Lets in who may come, and puts the headers on every answer."""

    def __init__(
        self, app: ASGIApp, sessions: Sessions, hosts: frozenset[str], origin: str, limits: Limits
    ) -> None:
        """Guard an application.

        Args:
            app: the application.
            sessions: who was let in.
            hosts: values of the header Host that are the page's own.
            origin: the page's address behind a reverse proxy; empty without one.
            limits: what one request may cost.
        """
        self.app, self.sessions, self.hosts = app, sessions, hosts
        self.origin, self.limits = origin, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refuse(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, guarded_send)
            return
        await self.app(scope, self._limited(scope, receive), guarded_send)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        """Return why a request is not handed on; None if it is, and note its session."""
        if len(headers.getlist("host")) != 1 or headers["host"].lower() not in self.hosts:
            return _no(421, "This page answers to its own address alone: open the one it printed.")
        path, method = scope["path"], scope["method"]
        changes = method not in ("GET", "HEAD")
        if changes and not self._is_own(headers):
            return _no(403, "The request comes from another page and is refused.")
        length = headers.get("content-length", "0")
        largest = self.largest(path, method)
        if not length.isdigit() or len(length) > 15 or int(length) > largest:
            return _no(413, f"The request is larger than {largest / 1e6:g} MB: send less at once.")
        if path.startswith(OPEN):
            return None
        session = self._session(headers)
        if session is None:
            if path.startswith("/api/") or changes:
                return _no(401, "Open the address that `echokit serve` printed, or send the token.")
            return RedirectResponse("/enter", status_code=303)
        if changes and session.csrf:
            given = headers.get("x-csrf-token", "")
            if not hmac.compare_digest(given.encode(), session.csrf.encode()):
                return _no(403, "The header X-CSRF-Token is missing or old: load the page again.")
        scope["session"] = session
        return None

    def largest(self, path: str, method: str) -> int:
        """Bytes that a request may have."""
        return self.limits.upload if (path, method) == ("/api/studies", "POST") else SMALL

    def _is_own(self, headers: Headers) -> bool:
        """Whether a change comes from this page, or from no page at all."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        if self.origin:
            return origin == self.origin
        return urlsplit(origin).scheme == "http" and urlsplit(origin).netloc in self.hosts

    def _session(self, headers: Headers) -> Session | None:
        if authorization := headers.get("authorization"):
            return self.sessions.of_program(authorization, headers.get("x-user", ""))
        cookies = cookie_parser(headers.get("cookie", ""))
        return self.sessions.of_cookie(cookies.get(cookie_name(headers["host"]), ""))

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Count what is received, as a length need not be declared, or be true."""
        left = self.largest(scope["path"], scope["method"])

        async def limited() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise HTTPException(413, "The request is larger than it may be: send less.")
            return message

        return limited


def cookie_name(host: str) -> str:
    """Name of the cookie: browsers hand those of one port to all others."""
    return "echokit-" + re.sub("[^0-9A-Za-z]", "-", host.lower())


def _no(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status_code=status)
