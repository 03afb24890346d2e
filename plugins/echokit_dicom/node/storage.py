"""The storage SCP of a node: a file is acknowledged once it is safely on the disk and in the queue.

PS3.4 annex B (Storage), annex A (Verification); status codes of PS3.4 table B.2-1.
"""

from __future__ import annotations

import logging
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import AllTransferSyntaxes, DeflatedExplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer
from sqlalchemy.exc import SQLAlchemyError

from echokit import StudyQueue, UsageError
from echokit_dicom.node.config import ANYBODY, Node, Tls
from echokit_dicom.node.spool import Spool

log = logging.getLogger(__name__)

SUCCESS, NO_ROOM, CANNOT_UNDERSTAND, MISMATCH = 0x0000, 0xA700, 0xC000, 0xA900
"""Status: safely stored; out of resources, send it again later; no DICOM file with the UIDs that a
study needs; not what its command said."""


def transfer_syntaxes() -> list[str]:
    """List the UIDs of what is read here: all without a codec, and those whose codec is there."""
    return [str(uid) for uid in AllTransferSyntaxes if _is_read(uid)]


def _is_read(uid: str) -> bool:
    if uid == DeflatedExplicitVRLittleEndian:
        return True
    try:
        return get_decoder(uid).is_available
    except NotImplementedError:
        return False


@dataclass
class Counts:
    """What a node has met since it was started."""

    stored: int = 0
    """Files that were acknowledged."""
    repeated: int = 0
    """Of these, those that it had."""
    refused: dict[str, int] = field(default_factory=dict)
    """Why a file or an association was refused -> how often."""

    def refuse(self, why: str) -> None:
        """Count a refusal."""
        self.refused[why] = self.refused.get(why, 0) + 1


class Storage:
    """Receives files into the spool and the queue."""

    def __init__(self, node: Node, spool: Spool, queue: StudyQueue, counts: Counts) -> None:
        self.spool, self.queue, self.counts, self.node = spool, queue, counts, node

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen in the background while the block runs, and give the port.

        Raises:
            UsageError: the address is taken, or a certificate cannot be read.
        """
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)  # its own texts hold data sets
        entity = AE(ae_title=self.node.ae_title)
        syntaxes = transfer_syntaxes()
        for context in AllStoragePresentationContexts:
            assert context.abstract_syntax is not None
            entity.add_supported_context(context.abstract_syntax, syntaxes)
        entity.add_supported_context(Verification)
        entity.require_called_aet = True
        if ANYBODY not in self.node.allow:
            entity.require_calling_aet = list(self.node.allow)
        entity.maximum_associations = self.node.associations
        handlers = [
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_ABORTED, self._aborted),
            (evt.EVT_CONN_CLOSE, _drop_unfinished),
        ]
        before = tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET
        tempfile.tempdir = str(self.spool.scratch())
        _config.STORE_RECV_CHUNKED_DATASET = True  # a cine goes to the disk, not into memory
        try:
            server = self._start(entity, handlers)
            try:
                yield int(server.server_address[1])
            finally:
                server.shutdown()
        finally:
            tempfile.tempdir, _config.STORE_RECV_CHUNKED_DATASET = before

    def _start(self, entity: AE, handlers: list[Any]) -> ThreadedAssociationServer:
        """Open the port.

        Raises:
            UsageError: it is taken, or a certificate cannot be read.
        """
        host, port = self.node.host, self.node.port
        context = _context(self.node.tls) if self.node.tls else None
        try:
            server = entity.start_server(
                (host, port), block=False, evt_handlers=handlers, ssl_context=context
            )
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be listened at ({error.strerror}): another process has it, "
                "or it is no address of this machine. Choose another [node] port."
            ) from None
        assert server is not None
        return server

    def _store(self, event: Event) -> int:
        """Answer a C-STORE request."""
        calling = event.assoc.requestor.ae_title
        try:
            study, instance = _uids(event.dataset_path)
        except (InvalidDicomError, ValueError, KeyError, EOFError):
            self.counts.refuse("no DICOM file with its UIDs")
            return CANNOT_UNDERSTAND
        if instance != getattr(event.request, "AffectedSOPInstanceUID", None):
            self.counts.refuse("not the instance that was announced")
            return MISMATCH
        try:
            file, digest = self.spool.keep(study, instance, event.dataset_path)
            added = self.queue.receive(study, instance, file, digest, source=calling)
        except (OSError, SQLAlchemyError) as error:
            log.error("A file was not stored: %s", type(error).__name__)
            self.counts.refuse("no room, or the queue cannot be written")
            return NO_ROOM
        self.counts.stored += 1
        self.counts.repeated += not added
        return SUCCESS

    def _echo(self, event: Event) -> int:
        del event
        return SUCCESS

    def _rejected(self, event: Event) -> None:
        calling = event.assoc.requestor.ae_title
        self.counts.refuse("association")
        self._note("refused", f"an association of {calling}")

    def _aborted(self, event: Event) -> None:
        self._note("aborted", f"an association of {event.assoc.requestor.ae_title}")

    def _note(self, event: str, detail: str) -> None:
        try:
            self.queue.note(event, "", detail)
        except SQLAlchemyError as error:
            log.error("The audit log cannot be written: %s", type(error).__name__)


def _drop_unfinished(event: Event) -> None:
    """Remove what an association leaves that ended in the middle of a file."""
    file = getattr(event.assoc.dimse.message, "_data_set_file", None)
    if file is not None:
        file.close()
        Path(file.name).unlink(missing_ok=True)


def _uids(path: Path) -> tuple[str, str]:
    """Return StudyInstanceUID and SOPInstanceUID of a file.

    Raises:
        InvalidDicomError, ValueError, KeyError, EOFError: it is no DICOM file, or has none.
    """
    tags = dcmread(
        path, stop_before_pixels=True, specific_tags=["StudyInstanceUID", "SOPInstanceUID"]
    )
    found = str(tags["StudyInstanceUID"].value or ""), str(tags["SOPInstanceUID"].value or "")
    if not all(found):
        raise ValueError("a UID is empty")
    return found


def _context(tls: Tls) -> ssl.SSLContext:
    """Make the context of a server that asks for a certificate.

    Raises:
        UsageError: a certificate or key cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        context.load_verify_locations(tls.clients)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            f"[node.tls]: {error.strerror or error}: certificate, key and clients are files in PEM."
        ) from None
    return context
