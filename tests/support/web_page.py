"""A page that runs, and whoever talks to it."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from echokit_web.app import make_app
from echokit_web.demo import HEARTS
from echokit_web.guard import Limits
from echokit_web.site import Site
from echokit_web.start import listen, open_site, own_hosts

LIMITS = Limits(upload=20_000_000, files=40, unpacked=30_000_000, seconds=30)


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        return str(self.json["detail"])


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> None:
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


@dataclass
class Page:
    """A page that runs, as a program sees it."""

    site: Site
    port: int

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, path: str, data: Any = None, *, method: str = "", user: str = "anna", **headers: str
    ) -> Answer:
        """Ask as a program does; `headers` are added, and a name that is empty is left out."""
        body = data if isinstance(data, bytes) or data is None else json.dumps(data).encode()
        told = {"Authorization": f"Bearer {self.site.folder.token()}", "X-User": user}
        if body is not None and not isinstance(data, bytes):
            told["Content-Type"] = "application/json"
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        told = {name: value for name, value in told.items() if value}
        request = urllib.request.Request(self.base + path, body, told, method=method or None)
        try:
            with OPENER.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def send(self, files: dict[str, bytes], **headers: str) -> Answer:
        """Send files as one study."""
        mark = uuid.uuid4().hex
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"'
            f"\r\nContent-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n"
            for name, content in files.items()
        ]
        body = b"".join(parts) + f"--{mark}--\r\n".encode()
        kind = f"multipart/form-data; boundary={mark}"
        return self.ask("/api/studies", body, Content_Type=kind, **headers)

    def wait(self, study: str, seconds: float = 90) -> dict[str, Any]:
        """Wait until a study is judged, and return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found: dict[str, Any] = self.ask(f"/api/studies/{study}").json
            if found["state"] in ("done", "aside"):
                return found
            time.sleep(0.2)
        raise AssertionError(f"not judged: {found['state']}, {found['reason']}")


@contextmanager
def served(site: Site, origin: str = "") -> Iterator[Page]:
    opened = listen(0)
    port = opened.getsockname()[1]
    site.origin = origin
    app = make_app(site, own_hosts(port, origin))
    config = uvicorn.Config(app, log_level="warning", access_log=False, ws="none")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield Page(site, port)
    finally:
        server.should_exit = True
        thread.join()
        opened.close()
        site.queue.close()


SMALL_HEARTS = HEARTS | {"size": 64, "frames": 30}


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with the demo networks, whose demo study is judged."""
    folder: Path = tmp_path_factory.mktemp("web") / "page"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("echokit_web.demo.HEARTS", SMALL_HEARTS)
        site, lock = open_site(folder, "demo", limits=LIMITS)
    with lock, served(site) as running:
        running.wait("demo", 240)
        yield running


@pytest.fixture(scope="session")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page that receives and judges nothing: what is sent to it waits."""
    folder: Path = tmp_path_factory.mktemp("idle") / "page"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("echokit_web.demo.HEARTS", SMALL_HEARTS)
        site, lock = open_site(folder, "demo", limits=LIMITS)
        # of this page's worker alone: other tests of the session have workers that work
        patch.setattr(site.worker, "start", lambda: None)
        patch.setattr(site.worker, "stop", lambda: None)
        with lock, served(site) as running:
            yield running
