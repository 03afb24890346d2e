"""Archives of one test, with TLS and behind a wire that can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import certificates
import pytest
from dicom_study import encoded, ultrasound
from orthanc import PASSWORD, USER, Orthanc, need_orthanc
from severed import Wire

from echokit_dicom.archive import archive as archives


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "FIRST_WAIT", 0.01)


@pytest.fixture(scope="session")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Orthanc, Wire]]:
    """An archive that speaks TLS on its DICOM port, and a proxy that does before its DICOMweb."""
    need_orthanc()
    folder = tmp_path_factory.mktemp("encrypted")
    own = certificates.make(folder / "own", "127.0.0.1")
    archive = Orthanc(folder / "archive", tls=own)
    archive.start()
    proxy = Wire(archive.http_port, own)
    archive.put(encoded(ultrasound(1)))
    yield archive, proxy
    proxy.close()
    archive.kill()


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Orthanc, Wire, Wire]]:
    """An archive that is killed when its wire is cut; wires to DICOMweb and to DIMSE."""
    need_orthanc()
    monkeypatch.setenv("ECHOKIT_ARCHIVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ECHOKIT_ARCHIVE_USER", USER)
    monkeypatch.setenv("ECHOKIT_ARCHIVE_PASSWORD", PASSWORD)
    archive = Orthanc(tmp_path / "archive")
    archive.start()
    wires = Wire(archive.http_port), Wire(archive.dicom_port)
    for wire in wires:
        wire.when_cut = archive.kill
    yield archive, *wires
    for wire in wires:
        wire.close()
    archive.kill()
