"""Open the archive that an address names."""

from __future__ import annotations

from echokit import UsageError
from echokit_dicom.archive.address import DimseAddress, WebAddress
from echokit_dicom.archive.archive import Archive
from echokit_dicom.archive.credentials import Credentials


def open_archive(address: WebAddress | DimseAddress) -> Archive:
    """Open an archive with the credentials of the environment; nothing is sent yet.

    Raises:
        UsageError: the extra is not installed, or the environment contradicts itself.
    """
    credentials = Credentials.of()
    try:
        if isinstance(address, WebAddress):
            from echokit_dicom.archive.web import WebArchive

            return WebArchive(address, credentials)
        from echokit_dicom.archive.dimse import DimseArchive

        return DimseArchive(address, credentials)
    except ImportError as error:
        raise UsageError(
            f"Archives need {error.name}: pip install 'echokit-cardiac[dicom-net]'"
        ) from None
