"""Results to take away: JSON, the page, PDF and DICOM objects; and to the archive."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from echokit import EchokitError, OptionError, StudyResult, resolve, scratch_folder
from echokit_web.api import found, site_of, user_of
from echokit_web.export import export_manifest
from echokit_web.guard import DOCUMENT_POLICY
from echokit_web.site import Site

router = APIRouter(prefix="/api", tags=["results"])
Kind = Literal["json", "page", "pdf", "dicom-sr", "dicom-sc"]
WRITERS = ("dicom-sr", "dicom-sc", "dicom-pdf")
"""Writers of DICOM objects."""


def _result_of(request: Request, study: str) -> tuple[Site, Path]:
    """Return the folder of a result that the user may see."""
    site, user = site_of(request), user_of(request)
    one = found(site, study)
    if one.state != "done":
        raise HTTPException(409, "It has no result: wait until it is judged.")
    if site.withheld(study, user):
        raise HTTPException(403, "Say first what you read in the study.")
    if user not in site.seen_by(study):
        site.queue.note("seen", study, user)
    return site, site.folder.result(study)


@router.get("/studies/{study}/download/{kind}", response_class=Response)
def get_download(request: Request, study: str, kind: Kind) -> Response:
    """Take a result away: as JSON, as one page, as PDF, or as DICOM objects (a ZIP of several)."""
    site, folder = _result_of(request, study)
    if kind == "json":
        content = (folder / "prediction.json").read_bytes()
        return _file(content, "application/json", f"{study}.json")
    if kind == "page":
        content = (folder / "index.html").read_bytes()
        return Response(
            content, media_type="text/html", headers={"content-security-policy": DOCUMENT_POLICY}
        )
    site.queue.note("downloaded", study, f"{user_of(request)}: {kind}")
    result = _again(site, study)
    with scratch_folder() as scratch:
        paths = _write("dicom-pdf" if kind == "pdf" else kind, result, scratch / "out")
        if kind == "pdf":
            return _many([(path.stem + ".pdf", _pdf(path)) for path in paths], study, "pdf")
        return _many([(path.name, path.read_bytes()) for path in paths], study, "dcm")


@router.post("/studies/{study}/send", status_code=202)
def post_send(request: Request, study: str) -> dict[str, Any]:
    """Send a result to the archive that the page was started with."""
    site, _ = _result_of(request, study)
    if not site.send:
        raise HTTPException(409, "There is no archive: start with `echokit serve --send ADDRESS`.")
    result = _again(site, study)
    sent: list[str] = []
    with scratch_folder() as scratch:
        for name in WRITERS[:2]:
            sent += [p.name for p in _write(name, result, scratch / name, send=site.send)]
    site.queue.note("sent", study, user_of(request))
    return {"sent": len(sent)}


@router.post("/studies/{study}/beside")
def post_beside(request: Request, study: str) -> dict[str, Any]:
    """Predict a study with the second run, to look at it beside the first; nothing is kept."""
    site, _ = _result_of(request, study)
    if site.beside is None or site.worker is None:
        raise HTTPException(409, "There is no second run: start with `echokit serve --beside RUN`.")
    try:
        return site.worker.beside(site.beside, study).to_json()
    except EchokitError as error:
        raise HTTPException(409, str(error)) from None


@router.get("/corrections.csv", response_class=Response)
def get_corrections(request: Request) -> Response:
    """Take away what users corrected and read, as a manifest that `echokit run --data` takes."""
    site = site_of(request)
    text = export_manifest(site, user_of(request))
    return _file(text.encode(), "text/csv; charset=utf-8", "corrections.csv")


def _again(site: Site, study: str) -> StudyResult:
    if site.worker is None:
        raise HTTPException(409, "This page judges no studies.")
    try:
        return site.worker.result(study)
    except EchokitError as error:
        raise HTTPException(409, str(error)) from None


def _write(writer: str, result: StudyResult, out: Path, **options: str) -> list[Path]:
    """Write a result with a writer, or answer why it cannot."""
    try:
        written: list[Path] = resolve("writer", writer, **options)(result, out)
    except (EchokitError, OptionError) as error:
        raise HTTPException(422, str(error)) from None
    return [path for path in written if path.is_file()] or sorted(
        path for path in out.rglob("*") if path.is_file()
    )


def _pdf(path: Path) -> bytes:
    """Return the PDF within a DICOM object."""
    from pydicom import dcmread

    dataset = dcmread(path)
    content = bytes(dataset.EncapsulatedDocument)
    return content[: int(dataset.get("EncapsulatedDocumentLength") or len(content))]


def _many(files: list[tuple[str, bytes]], study: str, suffix: str) -> Response:
    """Answer one file as it is, and several as a ZIP archive."""
    if len(files) == 1:
        kind = "application/pdf" if suffix == "pdf" else "application/dicom"
        return _file(files[0][1], kind, f"{study}.{suffix}")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return _file(packed.getvalue(), "application/zip", f"{study}-{suffix}.zip")


def _file(content: bytes, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=kind, headers=headers)
