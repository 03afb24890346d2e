"""A wire to a server that is cut after so many bytes of its answers."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


class Wire:
    """Passes bytes on from a free port of loopback to another one."""

    def __init__(self, port: int, tls: tuple[Path, Path] | None = None) -> None:
        self.behind = port
        self._context: ssl.SSLContext | None = None
        if tls is not None:  # as a hospital's proxy does before an archive
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(*tls)
        self.cut_after: int | None = None
        """Bytes of answers after which the wire is cut; None passes all on."""
        self.when_cut: Callable[[], object] = lambda: None
        self.passed = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            try:
                if self._context is not None:
                    near = self._context.wrap_socket(near, server_side=True)
                far = socket.create_connection(("127.0.0.1", self.behind), 5)
            except OSError:
                near.close()
                continue
            for source, target, counted in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._pass, args=(source, target, counted), daemon=True
                ).start()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        try:
            while data := source.recv(4096):
                self.passed += len(data) * counted
                if counted and self.cut_after is not None and self.passed > self.cut_after:
                    self.when_cut()
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
