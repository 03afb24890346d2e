"""A real archive on loopback: Debian's Orthanc, with passwords, AE titles that count, and TLS."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

USER, PASSWORD = "echokit", "a secret of the tests"
PLUGINS = Path("/usr/share/orthanc/plugins")
UP = 20.0
"""Seconds within which it must answer."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Orthanc:
    """An archive that can be stopped, killed and started again with what it holds."""

    folder: Path
    tls: tuple[Path, Path] | None = None
    """Certificate and key of its DICOM port. HTTPS is left to who stands before it: this build dies
    of its first HTTPS request."""
    http_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    move_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def web(self) -> str:
        """Address for the loader `dicomweb`."""
        return f"{self.base}/dicom-web"

    @property
    def dimse(self) -> str:
        """Address for the loader `dimse`."""
        return f"ARCHIVE@127.0.0.1:{self.dicom_port}"

    def start(self) -> None:
        """Start it; a new one takes other ports where somebody was faster."""
        for left in (2, 1, 0) if not self.folder.exists() else (0,):
            try:
                self._start()
                return
            except RuntimeError:
                self.kill()
                if not left:
                    raise
                self.http_port, self.dicom_port = free_port(), free_port()

    def _start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        settings = {
            "Name": "archive",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(PLUGINS / f"libOrthanc{name}.so") for name in ("DicomWeb", "Gdcm")],
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "DicomPort": self.dicom_port,
            "DicomAet": "ARCHIVE",
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowEcho": False,
            "DicomAlwaysAllowStore": False,
            "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowGet": False,
            "DicomModalities": {
                "echokit": {
                    "AET": "ECHOKIT",
                    "Host": "127.0.0.1",
                    "Port": self.move_port,
                    "AllowGet": True,
                    "AllowFind": True,
                    "AllowMove": True,
                    "AllowStore": True,
                    "AllowEcho": True,
                }
            },
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "OverwriteInstances": False,
        }
        if self.tls:
            certificate, key = self.tls
            settings |= {
                "DicomTlsEnabled": True,
                "DicomTlsCertificate": str(certificate),
                "DicomTlsPrivateKey": str(key),
                "DicomTlsTrustedCertificates": str(certificate),
                "DicomTlsRemoteCertificateRequired": False,
            }
        (self.folder / "orthanc.json").write_text(json.dumps(settings))
        program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [program, str(self.folder / "orthanc.json")], stdout=log, stderr=log
            )
        end = time.monotonic() + UP
        while True:
            try:
                self.get("/system")
                return
            except requests.RequestException:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def get(self, path: str) -> Any:
        """Ask its own interface."""
        return self._ask(requests.get, path)

    def put(self, data: bytes) -> str:
        """Give it a file by its own interface; return its own identifier of the instance."""
        return str(self._ask(requests.post, "/instances", data=data).json()["ID"])

    def _ask(self, method: Callable[..., requests.Response], path: str, **more: Any) -> Any:
        answer = method(
            self.base + path,
            auth=(USER, PASSWORD),
            timeout=20,
            **more,
        )
        answer.raise_for_status()
        return answer

    def instances(self) -> dict[str, str]:
        """SOP instance UID -> its own identifier, of all that it holds."""
        listed = self.get("/instances?expand").json()
        return {one["MainDicomTags"]["SOPInstanceUID"]: one["ID"] for one in listed}

    def file(self, uid: str) -> bytes:
        """The file of an instance, bit for bit."""
        return self.get(f"/instances/{self.instances()[uid]}/file").content


_shared: list[Orthanc] = []


def shared() -> Orthanc:
    """The one archive of this test process, with its password in the environment."""
    need_orthanc()
    if not _shared:
        folder = Path(tempfile.mkdtemp(prefix="echokit-archive-"))
        archive = Orthanc(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        atexit.register(archive.kill)
        archive.start()
        _shared.append(archive)
    os.environ["ECHOKIT_ARCHIVE_USER"], os.environ["ECHOKIT_ARCHIVE_PASSWORD"] = USER, PASSWORD
    return _shared[0]


def need_orthanc() -> None:
    """Skip where Orthanc is not installed; fail in CI."""
    if shutil.which("Orthanc") or Path("/usr/sbin/Orthanc").exists():
        return
    told = (
        "Debian's Orthanc is not installed: apt-get install orthanc orthanc-dicomweb orthanc-gdcm"
    )
    if os.environ.get("CI"):
        pytest.fail(told)
    pytest.skip(told)
