"""Open a page's folder and networks, and serve until it is stopped."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import typer
import uvicorn

from echokit import OptionError, StudyQueue, UsageError, load, resolve
from echokit_web.app import make_app
from echokit_web.demo import add_demo
from echokit_web.guard import Limits, Sessions
from echokit_web.site import Site
from echokit_web.work_folder import WorkFolder
from echokit_web.worker import Worker

LOOPBACK = "127.0.0.1"


def open_site(
    path: Path,
    run: str,
    *,
    queue: str = "",
    limits: Limits | None = None,
    reader: bool = False,
    beside: str = "",
    send: str = "",
) -> tuple[Site, IO[str]]:
    """Open a page; at its first start a synthetic study waits in it.

    Returns:
        The page, and the lock of its folder, which must stay open.

    Raises:
        UsageError: the run, the folder, the database or the address cannot be used.
    """
    if send:
        try:
            resolve("writer", "dicom-sr", send=send)
        except OptionError as error:
            raise UsageError(f"--send {send}: {error}") from None
    model = load(run)
    second = load(beside) if beside else None
    folder = WorkFolder(path.absolute())
    lock = folder.lock()
    folder.scratch()
    kept = StudyQueue(queue or folder.queue)
    site = Site(
        folder=folder,
        queue=kept,
        sessions=Sessions(folder.token()),
        limits=limits or Limits(),
        model=model,
        worker=Worker(model, folder, kept),
        reader=reader,
        beside=second,
        send=send,
    )
    add_demo(site)
    return site, lock


def watch_site(run: Path) -> Site:
    """Open a page that follows a run.

    Raises:
        UsageError: there is no run.
    """
    if not (run / "recipe.toml").is_file():
        raise UsageError(
            f"{run} is no run: it holds no recipe.toml. Give the folder that `echokit run` made."
        )
    folder = WorkFolder(Path(tempfile.mkdtemp(prefix="echokit-watch-")))
    return Site(
        folder=folder,
        queue=StudyQueue(folder.queue),
        sessions=Sessions(folder.token()),
        limits=Limits(),
        run=run.absolute(),
    )


def listen(port: int) -> socket.socket:
    """Listen at a port of loopback.

    Raises:
        UsageError: the port is taken.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((LOOPBACK, port))
    except OSError as error:
        opened.close()
        raise UsageError(
            f"{LOOPBACK}:{port} cannot be listened at ({error.strerror}): choose another --port."
        ) from None
    return opened


def own_hosts(port: int, origin: str) -> frozenset[str]:
    """Return the values of the header Host that are the page's own.

    Raises:
        UsageError: the address is none.
    """
    if not origin:
        return frozenset({f"{LOOPBACK}:{port}", f"localhost:{port}"})
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise UsageError(
            f"--behind-proxy {origin} is no address such as https://echo.hospital.example."
        )
    return frozenset({parts.netloc.lower()})


def run_server(site: Site, port: int, origin: str = "") -> None:
    """Serve a page on loopback until it is stopped, and print the address that opens it."""
    site.origin = origin.rstrip("/")
    opened = listen(port)
    port = opened.getsockname()[1]
    hosts = own_hosts(port, site.origin)
    base = site.origin or f"http://{LOOPBACK}:{port}"

    def tell() -> None:
        typer.echo(f"Open {base}/enter?token={site.sessions.once}", err=True)

    app = make_app(site, hosts, lambda user: tell())
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=32 << 10,
    )
    typer.echo("Research software, not a medical device. Ctrl-C stops the page.", err=True)
    tell()
    uvicorn.Server(config).run(sockets=[opened])
