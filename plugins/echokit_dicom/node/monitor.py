"""What a node shows on loopback: metrics for Prometheus, and a call that a study is complete."""

from __future__ import annotations

import hmac
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from echokit import StudyQueue, UsageError
from echokit_dicom.node.storage import Counts

COMPLETE = re.compile(r"/studies/([0-9.]{1,64})/complete")
STAGES = (0.1, 0.3, 1, 3, 10, 30, 60, 120, 300, 600)
"""Bounds of the histogram of seconds."""


class Monitor:
    """Metrics of a node, and the HTTP server that shows them."""

    def __init__(self, queue: StudyQueue, counts: Counts, token: str) -> None:
        self.queue, self.token = queue, token
        self._registry = CollectorRegistry()
        self._registry.register(_Studies(queue, counts))
        self._seconds = Histogram(
            "echokit_stage_seconds",
            "Seconds of a stage of the work on one study.",
            ["stage"],
            buckets=STAGES,
            registry=self._registry,
        )

    def timed(self, stage: str, seconds: float) -> None:
        """Take note of a stage of the work."""
        self._seconds.labels(stage).observe(seconds)

    def text(self) -> bytes:
        """The metrics in the text format of Prometheus."""
        return generate_latest(self._registry)

    @contextmanager
    def listening(self, port: int) -> Iterator[int]:
        """Serve at a port of loopback while the block runs, and give the port.

        Raises:
            UsageError: the port is taken.
        """
        monitor = self

        class Handler(_Handler):
            shown = monitor

        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise UsageError(
                f"127.0.0.1:{port} cannot be listened at ({error.strerror}): choose another "
                "[node] monitor."
            ) from None
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            server.server_close()


class _Studies(Collector):
    """The state of the queue and of the storage, asked when metrics are read."""

    def __init__(self, queue: StudyQueue, counts: Counts) -> None:
        self.queue, self.counts = queue, counts

    def collect(self) -> Iterable[Any]:
        studies = GaugeMetricFamily("echokit_studies", "Studies by state.", labels=["state"])
        for state, number in self.queue.counts().items():
            studies.add_metric([state], number)
        yield studies
        stored = CounterMetricFamily("echokit_files_stored", "Files that were acknowledged.")
        stored.add_metric([], self.counts.stored)
        yield stored
        refused = CounterMetricFamily(
            "echokit_refused", "Files and associations that were refused.", labels=["why"]
        )
        for why, number in self.counts.refused.items():
            refused.add_metric([why], number)
        yield refused


class _Handler(BaseHTTPRequestHandler):
    shown: Monitor

    def do_GET(self) -> None:
        """Answer /metrics."""
        if self.path != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"There are /metrics here.\n")
            return
        try:
            self._answer(HTTPStatus.OK, self.shown.text())
        except SQLAlchemyError:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"The queue cannot be read.\n")

    def do_POST(self) -> None:
        """Answer /studies/UID/complete: the study waits no longer for files."""
        wanted, given = f"Bearer {self.shown.token}", self.headers.get("Authorization", "")
        if not hmac.compare_digest(wanted.encode(), given.encode()):
            self._answer(HTTPStatus.UNAUTHORIZED, b"Authorization: Bearer TOKEN is wanted.\n")
            return
        found = COMPLETE.fullmatch(self.path)
        try:
            known = found is not None and self.shown.queue.complete(found[1]) > 0
        except SQLAlchemyError:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"The queue cannot be written.\n")
            return
        if known:
            self._answer(HTTPStatus.OK, b"It is complete.\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"No file of that study is being received.\n")

    def _answer(self, status: HTTPStatus, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: requests are no events of a node."""
