"""`echokit listen`."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from echokit import StudyQueue


def listen(
    config: Annotated[Path, typer.Argument(help="TOML file of the node: docs/hospital.md.")],
    status: Annotated[
        bool, typer.Option("--status", help="Show the studies of the node, and listen to nothing.")
    ] = False,
    again: Annotated[
        str | None, typer.Option(help="Have a study predicted anew, by its StudyInstanceUID.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --status: print JSON.")] = False,
) -> None:
    """Be a node of the hospital's network: studies come in by DICOM, results go out.

    A file is acknowledged once it is safely on the disk. A study is complete after a quiet time; a
    rule says which run predicts it, what is written and where it is sent. A study that fails is
    tried again, then set aside by name. Research software, not a medical device.
    """
    from echokit import StudyQueue, UsageError
    from echokit_dicom.node.config import read_config
    from echokit_dicom.node.spool import Spool

    told = read_config(config)
    spool = Spool(told.node.folder)
    queue = StudyQueue(told.node.queue or spool.queue)
    if again is not None:
        if not queue.again(again):
            raise UsageError(f"{again} is not done, ignored or set aside: see --status.")
        return
    if status:
        show(queue, as_json=as_json)
        return

    from echokit_dicom.node.monitor import Monitor
    from echokit_dicom.node.storage import Counts, Storage
    from echokit_dicom.node.work import Worker

    counts = Counts()
    monitor = Monitor(queue, counts, spool.token())
    worker = Worker(told, spool, queue, monitor.timed)
    with ExitStack() as stack:
        stack.enter_context(spool.locked())  # before what a killed node left is removed
        port = stack.enter_context(Storage(told.node, spool, queue, counts).listening())
        typer.echo(f"Listening at {told.node.host}:{port} as {told.node.ae_title}", err=True)
        if told.node.monitor is not None:
            shown = stack.enter_context(monitor.listening(told.node.monitor))
            typer.echo(f"Metrics at http://127.0.0.1:{shown}/metrics", err=True)
        worker.work(threading.Event())


def show(queue: StudyQueue, *, as_json: bool) -> None:
    """Print the studies of a queue."""
    studies, counts = queue.studies(), queue.counts()
    if as_json:
        typer.echo(json.dumps({"counts": counts, "studies": [asdict(one) for one in studies]}))
        return
    for one in studies:
        changed = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.changed))
        tail = one.reason or one.rule
        typer.echo(f"{changed}  {one.state:<9}  {one.study}  {tail}".rstrip())
    typer.echo(", ".join(f"{number} {state}" for state, number in counts.items()))
