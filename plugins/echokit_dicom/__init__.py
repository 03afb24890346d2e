"""The hospital's archive: studies out of it, results into it as DICOM objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from echokit import Loader, UsageError, Writer, hookimpl

if TYPE_CHECKING:
    import typer

    from echokit_dicom.archive.address import DimseAddress, WebAddress
    from echokit_dicom.objects.writer import Make


@hookimpl
def register_loaders(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add loaders of archives, by DICOMweb and by DIMSE."""
    register("dicomweb", dicomweb)
    register("dimse", dimse)


@hookimpl
def register_writers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Add writers of structured reports, secondary captures and encapsulated PDF."""
    register("dicom-sr", dicom_sr)
    register("dicom-sc", dicom_sc)
    register("dicom-pdf", dicom_pdf)


@hookimpl
def register_commands(group: typer.Typer) -> None:
    """Add `echokit data deidentify` and `echokit listen`, the node of a hospital's network."""
    from echokit_dicom.deidentify.command import data
    from echokit_dicom.node.command import listen

    group.add_typer(data, name="data")
    group.command("listen")(listen)


def dicomweb(
    source: str,
    *,
    view: str | None = None,
    view_rules: Mapping[str, str] | None = None,
    patients: Literal["hash", "as-is"] = "hash",
    colour: Literal["refuse", "remove"] = "refuse",
    isolate: bool = False,
    labels: str = "",
    cache: str = "",
    keep_days: float = 7.0,
    tries: int = 4,
) -> Loader:
    """Studies of an archive by DICOMweb: QIDO-RS and WADO-RS (PS3.18).

    Clips are fetched one by one, as the archive keeps them, to a private folder, and are read by
    the loader `files`. A fetch that failed is tried again after waits that double; after that what
    has arrived is kept, and the same command goes on. Objects that are no clips are not fetched and
    are rejected by their number.

    A bearer token is read from `ECHOKIT_ARCHIVE_TOKEN`, or a name and a password from
    `ECHOKIT_ARCHIVE_USER` and `ECHOKIT_ARCHIVE_PASSWORD`. `ECHOKIT_ARCHIVE_CA` names the file of
    trusted certificates, `ECHOKIT_ARCHIVE_CERT` and `ECHOKIT_ARCHIVE_KEY` one's own. Proxies are
    not used and redirections not followed.

    Args:
        source: `https://HOST:PORT/PATH?StudyInstanceUID=UID`; the query may hold any attribute of
            DICOM that the archive matches, such as AccessionNumber, PatientID and StudyDate.
        view: the view of every clip; None takes it from the files.
        view_rules: regular expression -> view, as for the loader `files`.
        patients: `hash` replaces each PatientID by `echokit.pseudonym` of it; `as-is` keeps it.
        colour: what happens to clips with colour Doppler, as for the loader `files`.
        isolate: read files in another process with hard limits, as for the loader `files`.
        labels: a CSV in UTF-8 with one of the columns `study` (StudyInstanceUID), `accession` and
            `patient` (PatientID), and a column for each label.
        cache: folder for clips that have arrived; empty takes `ECHOKIT_ARCHIVE_CACHE`, else
            `~/.cache/echokit/archive`. It has mode 0700, and its files' names tell nothing.
        keep_days: clips that nobody asked for in as many days are removed from it.
        tries: how often a request is tried.

    Returns:
        A loader that can also fingerprint its clips and name their files.

    Raises:
        UsageError: the address or the environment cannot be used, or the extra is not installed.
        DataError: the sheet of labels cannot be used.
    """
    from echokit_dicom.archive.address import need_query, parse_web

    need_query(address := parse_web(source))
    options = {
        "view": view,
        "view_rules": view_rules,
        "patients": patients,
        "colour": colour,
        "isolate": isolate,
    }
    return _archive_loader(address, options, labels, cache, keep_days, tries)


def dimse(
    source: str,
    *,
    view: str | None = None,
    view_rules: Mapping[str, str] | None = None,
    patients: Literal["hash", "as-is"] = "hash",
    colour: Literal["refuse", "remove"] = "refuse",
    isolate: bool = False,
    labels: str = "",
    cache: str = "",
    keep_days: float = 7.0,
    tries: int = 4,
) -> Loader:
    """Studies of an archive by DIMSE: C-FIND and C-GET, or C-MOVE (PS3.4 C).

    Works as the loader `dicomweb`. Of the environment only `ECHOKIT_ARCHIVE_CA`,
    `ECHOKIT_ARCHIVE_CERT` and `ECHOKIT_ARCHIVE_KEY` count, and with `tls=1` alone.

    Args:
        source: `AET@HOST:PORT?StudyInstanceUID=UID`; besides attributes of DICOM the query may hold
            `aet` (what echokit calls itself, usually ECHOKIT), `tls=1` (an encrypted association)
            and `move_port` (takes C-MOVE and receives clips on this port; without it C-GET).
        view: as for the loader `dicomweb`.
        view_rules: as for the loader `dicomweb`.
        patients: as for the loader `dicomweb`.
        colour: as for the loader `dicomweb`.
        isolate: as for the loader `dicomweb`.
        labels: as for the loader `dicomweb`.
        cache: as for the loader `dicomweb`.
        keep_days: as for the loader `dicomweb`.
        tries: as for the loader `dicomweb`.

    Returns:
        A loader that can also fingerprint its clips and name their files.

    Raises:
        UsageError: the address or the environment cannot be used, or the extra is not installed.
        DataError: the sheet of labels cannot be used.
    """
    from echokit_dicom.archive.address import need_query, parse_dimse

    need_query(address := parse_dimse(source))
    options = {
        "view": view,
        "view_rules": view_rules,
        "patients": patients,
        "colour": colour,
        "isolate": isolate,
    }
    return _archive_loader(address, options, labels, cache, keep_days, tries)


def dicom_sr(*, send: str = "") -> Writer:
    """Write each patient's prediction as a structured report (PS3.16 TID 1500), UNVERIFIED.

    It is of the same patient and study as the clips, in a new series: severity, probability,
    agreement, views used and missing, and of each clip the image and the frames that were judged.
    Identifiers follow from the content, so that the same prediction is the same object.

    Args:
        send: where the report is sent, unless it is there: `dicomweb:URL` or
            `dimse:AET@HOST:PORT`; empty sends nothing.

    Raises:
        UsageError: the address cannot be used, or the extra is not installed.
    """

    def make(*given: Any) -> Any:
        from echokit_dicom.objects.report import make_report

        return [make_report(*given)]

    return _writer("report", make, send, needs="highdicom")


def dicom_sc(*, send: str = "") -> Writer:
    """Write each clip's saliency as a multi-frame true colour secondary capture (PS3.3 A.8.5).

    The frames have the times of the source. "Research use only, not for diagnosis" is burned in.

    Args:
        send: as for the writer `dicom-sr`.

    Raises:
        UsageError: the address cannot be used, or the extra is not installed.
    """

    def make(*given: Any) -> Any:
        from echokit_dicom.objects.overlay import make_overlays

        return make_overlays(*given)

    return _writer("saliency", make, send)


def dicom_pdf(*, send: str = "") -> Writer:
    """Write each patient's page as Encapsulated PDF (PS3.3 A.45.1), printed by Chromium offline.

    Args:
        send: as for the writer `dicom-sr`.

    Raises:
        UsageError: Chromium is not installed, the address cannot be used, or the extra is not
            installed.
    """
    from echokit_dicom.objects.page import find_browser

    find_browser()

    def make(*given: Any) -> Any:
        from echokit_dicom.objects.page import make_page

        return [make_page(*given)]

    return _writer("page", make, send)


def _writer(kind: str, make: Make, send: str, needs: str = "") -> Writer:
    from importlib.util import find_spec

    from echokit_dicom.archive.address import parse_destination
    from echokit_dicom.archive.opening import open_archive
    from echokit_dicom.objects.writer import ObjectWriter

    if needs and find_spec(needs) is None:
        raise UsageError(f"This writer needs {needs}: pip install 'echokit-cardiac[dicom-net]'")
    archive = open_archive(parse_destination(send)) if send else None
    return ObjectWriter(kind, make, archive)


def _archive_loader(
    address: WebAddress | DimseAddress,
    options: Mapping[str, object],
    labels: str,
    cache: str,
    keep_days: float,
    tries: int,
) -> Loader:
    from pathlib import Path

    from echokit_dicom.archive.cache import Cache
    from echokit_dicom.archive.labels import NO_LABELS, read_labels
    from echokit_dicom.archive.loader import ArchiveLoader, Reading
    from echokit_dicom.archive.opening import open_archive

    sheet = read_labels(Path(labels).expanduser()) if labels else NO_LABELS
    reading = Reading(options, sheet, tries)
    archive = open_archive(address)
    return ArchiveLoader(archive, address.query, Cache.at(cache, keep_days), reading)
