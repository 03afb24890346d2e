"""`echokit serve` and `echokit watch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of loopback; 0 takes a free one.")]
Folder = Annotated[
    Path, typer.Option(help="Where files, results and the queue are kept; mode 0700.")
]
Proxy = Annotated[
    str,
    typer.Option(help="Address that users type where a reverse proxy stands before the page."),
]


def serve(
    run: Annotated[str, typer.Argument(help="A finished run, a bundle, or demo.")],
    port: Port = 8000,
    folder: Folder = Path("page"),
    queue: Annotated[
        str, typer.Option(help="URL of a database for the queue; else SQLite in the folder.")
    ] = "",
    reader: Annotated[
        bool, typer.Option("--reader", help="Show a result to whoever has said a reading first.")
    ] = False,
    beside: Annotated[
        str, typer.Option(help="A second run, whose prediction can be asked for beside the first.")
    ] = "",
    send: Annotated[
        str, typer.Option(help="Archive that results may be sent to: dimse:AET@HOST:PORT.")
    ] = "",
    behind_proxy: Proxy = "",
    largest: Annotated[int, typer.Option(min=1, help="Largest upload, in megabytes.")] = 4000,
    most_files: Annotated[
        int, typer.Option(min=1, max=9999, help="Most files of an upload.")
    ] = 2000,
    seconds: Annotated[int, typer.Option(min=1, help="Longest upload, in seconds.")] = 1800,
) -> None:
    """Open a page: drop a study, see the result and why, correct it, and go on.

    It listens on loopback alone, and prints an address that works once. Research software, not a
    medical device.
    """
    from echokit_web.guard import Limits
    from echokit_web.start import open_site, own_hosts, run_server

    own_hosts(port, behind_proxy)  # refused before a network is opened
    megabyte = 1_000_000
    limits = Limits(largest * megabyte, most_files, 2 * largest * megabyte, seconds)
    site, lock = open_site(
        folder, run, queue=queue, limits=limits, reader=reader, beside=beside, send=send
    )
    with lock:
        run_server(site, port, behind_proxy)


def watch(
    run: Annotated[Path, typer.Argument(help="Folder of a run, finished or not.")],
    port: Port = 8000,
    behind_proxy: Proxy = "",
) -> None:
    """Follow a run while it trains: networks, learning curves, the time left; then its report.

    It listens on loopback alone, and prints an address that works once. It changes nothing.
    """
    from echokit_web.start import run_server, watch_site

    site = watch_site(run)
    run_server(site, port, behind_proxy)
