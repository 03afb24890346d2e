"""An archive by DIMSE: C-FIND, C-GET, C-MOVE and C-STORE (PS3.4 B and C), by pynetdicom."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, build_context, build_role, evt
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    StudyRootQueryRetrieveInformationModelMove,
)

from echokit import DataError, whole_file
from echokit_dicom.archive.address import LOWER_KEYS, DimseAddress
from echokit_dicom.archive.archive import Found, Place, Unreachable, hush
from echokit_dicom.archive.contexts import ULTRASOUND, storage_contexts
from echokit_dicom.archive.credentials import PREFIX, Credentials

FIND = StudyRootQueryRetrieveInformationModelFind
GET = StudyRootQueryRetrieveInformationModelGet
MOVE = StudyRootQueryRetrieveInformationModelMove
CONNECT, ANSWER, NETWORK = 10.0, 120.0, 120.0
"""Seconds to wait for a connection, for an answer, and for the next bytes."""
PENDING = (0xFF00, 0xFF01)
SUCCESS = 0x0000
OUT_OF_RESOURCES, NOT_KNOWN = 0xA700, 0xA801
"""Statuses of C-MOVE and C-STORE (PS3.4 C.4.2.1.5, B.2.3)."""


@final
class DimseArchive:
    """An application entity that is asked over associations."""

    def __init__(self, address: DimseAddress, credentials: Credentials) -> None:
        hush()
        self.address, self.shown = address, address.shown
        self._context = credentials.context() if address.tls else None

    def find(self, query: Mapping[str, str]) -> Iterator[Found]:
        """List the instances of the studies that match; see `Archive`."""
        upper = {key: value for key, value in query.items() if key not in LOWER_KEYS}
        lower = {key: query[key] for key in LOWER_KEYS if key in query}
        with self._associate([build_context(FIND)]) as association:
            for study in self._search(association, "STUDY", {"StudyInstanceUID": "", **upper}):
                series_keys = {"SeriesInstanceUID": "", "Modality": "", **lower}
                series_keys.pop("SOPInstanceUID", None)
                uid = _text(study, "StudyInstanceUID")
                above = {"StudyInstanceUID": uid}
                for series in self._search(association, "SERIES", series_keys | above):
                    one = _text(series, "SeriesInstanceUID")
                    yield from self._instances(
                        association,
                        above | {"SeriesInstanceUID": one},
                        _text(series, "Modality"),
                        lower.get("SOPInstanceUID", ""),
                    )

    def _instances(
        self, association: Association, above: Mapping[str, str], modality: str, wanted: str
    ) -> Iterator[Found]:
        keys = {"SOPInstanceUID": wanted, "SOPClassUID": "", "NumberOfFrames": "", **above}
        for one in self._search(association, "IMAGE", keys):
            frames = _text(one, "NumberOfFrames")
            yield Found(
                Place(
                    above["StudyInstanceUID"],
                    above["SeriesInstanceUID"],
                    _text(one, "SOPInstanceUID"),
                ),
                modality,
                _text(one, "SOPClassUID"),
                int(frames) if frames.isdecimal() else None,
            )

    def fetch(self, place: Place, out: Path) -> None:
        """Write an instance to a file; see `Archive`."""
        received: list[str] = []

        def keep(event: Any) -> int:
            data = event.request
            if str(data.AffectedSOPInstanceUID) != place.instance:
                return 0xA900  # not what was asked for
            try:
                with whole_file(out) as partial:
                    partial.write_bytes(event.encoded_dataset())
            except OSError as error:
                received.append(f"it cannot be written: {error.strerror}")
                return OUT_OF_RESOURCES
            received.append("")
            return SUCCESS

        handlers = [(evt.EVT_C_STORE, keep)]
        if self.address.move_port is None:
            self._get(place, handlers)
        else:
            self._move(place, handlers, self.address.move_port)
        if not received:
            raise DataError(f"{self.shown} did not send a clip that it lists.")
        if received[0]:
            raise DataError(f"A clip of {self.shown} was received, but {received[0]}.")

    def _get(self, place: Place, handlers: Sequence[Any]) -> None:
        roles = [build_role(UID(storage), scp_role=True) for storage in ULTRASOUND]
        contexts = [build_context(GET), *storage_contexts()]
        with self._associate(contexts, handlers, roles) as association:
            self._finish(association, association.send_c_get(_identifier(place), GET), "C-GET")

    def _move(self, place: Place, handlers: Sequence[Any], port: int) -> None:
        """Receive by an association that the archive opens to this machine."""
        entity = AE(self.address.own_aet)
        entity.supported_contexts = storage_contexts()
        entity.require_called_aet, entity.require_calling_aet = True, [self.address.aet]
        bound = (_own_address(self.address), port)
        try:
            server = entity.start_server(
                bound, block=False, evt_handlers=list(handlers), ssl_context=None
            )
        except OSError as error:
            raise DataError(
                f"Port {port} cannot be opened to receive clips ({error.strerror}): give another "
                "as move_port."
            ) from None
        try:
            with self._associate([build_context(MOVE)]) as association:
                answers = association.send_c_move(_identifier(place), self.address.own_aet, MOVE)
                self._finish(association, answers, "C-MOVE")
        finally:
            server.shutdown()  # type: ignore[union-attr]

    def holds(self, place: Place) -> bool:
        """Say whether an instance is there; see `Archive`."""
        keys = {
            "StudyInstanceUID": place.study,
            "SeriesInstanceUID": place.series,
            "SOPInstanceUID": place.instance,
        }
        with self._associate([build_context(FIND)]) as association:
            found = list(self._search(association, "IMAGE", keys))
        return place.instance in [_text(one, "SOPInstanceUID") for one in found]

    def store(self, path: Path) -> None:
        """Give the archive a file; see `Archive`."""
        data = dcmread(path)
        context = build_context(data.SOPClassUID, data.file_meta.TransferSyntaxUID)
        with self._associate([context]) as association:
            try:
                status = association.send_c_store(data)
            except (ValueError, RuntimeError):
                raise Unreachable("the association ended") from None
        if "Status" not in status:
            raise Unreachable("no answer in time")
        code = int(status.Status)
        if code == SUCCESS or 0xB000 <= code <= 0xBFFF:
            return
        if code >> 8 == OUT_OF_RESOURCES >> 8:
            raise Unreachable(f"it is out of resources, status {code:04X}H")
        raise DataError(f"{self.shown} did not take {path.name}: status {code:04X}H.")

    def _search(
        self, association: Association, level: str, keys: Mapping[str, str]
    ) -> Iterator[Dataset]:
        """Yield what matches; the answers are all there before the first is handed on."""
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        found = []
        for status, data in association.send_c_find(identifier, FIND):
            self._check(status, "C-FIND")
            if data is not None:
                found.append(data)
        yield from found

    def _finish(self, association: Association, answers: Any, service: str) -> None:
        for status, _ in answers:
            self._check(status, service)
        if association.is_aborted:
            raise Unreachable("the association ended")

    def _check(self, status: Dataset, service: str) -> None:
        """Pass pending and successful answers.

        Raises:
            Unreachable: there is none, or it may pass.
            DataError: the archive refuses.
        """
        if "Status" not in status:
            raise Unreachable("the association ended")
        code = int(status.Status)
        if code == NOT_KNOWN:
            raise DataError(
                f"{self.shown} does not know the AE title {self.address.own_aet!r} that C-MOVE "
                "sends to: enter it there with this machine's address and move_port."
            )
        if code >> 8 == OUT_OF_RESOURCES >> 8:
            raise Unreachable(f"it is out of resources, status {code:04X}H")
        if code not in (SUCCESS, *PENDING) and code >> 12 != 0xB:
            raise DataError(f"{self.shown} refuses {service}: status {code:04X}H.")

    @contextmanager
    def _associate(
        self,
        contexts: list[PresentationContext],
        handlers: Sequence[Any] = (),
        roles: Sequence[Any] = (),
    ) -> Iterator[Association]:
        entity = AE(self.address.own_aet)
        entity.connection_timeout, entity.acse_timeout = CONNECT, CONNECT
        entity.dimse_timeout, entity.network_timeout = ANSWER, NETWORK
        refused: list[str] = []

        def rejected(event: Any) -> None:
            refused.append("rejected")

        association = entity.associate(
            self.address.host,
            self.address.port,
            contexts=contexts,
            ae_title=self.address.aet,
            ext_neg=list(roles),
            tls_args=(self._context, self.address.host) if self._context else None,
            evt_handlers=[*handlers, (evt.EVT_REJECTED, rejected)],
        )
        if not association.is_established:
            raise self._not_established(association)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _not_established(self, association: Association) -> Exception:
        if association.is_rejected:
            return DataError(
                f"{self.shown} refuses the association: check its AE title "
                f"({self.address.aet!r}), and that it knows ours ({self.address.own_aet!r}, set by "
                "aet=TITLE in the address)."
            )
        if association.acceptor.primitive is not None and not association.accepted_contexts:
            return DataError(f"{self.shown} offers no such service or storage class.")
        if self._context is not None and (reason := self._handshake()):
            return DataError(
                f"{self.shown}: the encrypted connection is refused ({reason}). Name the file of "
                f"the certificates that you trust in {PREFIX}CA."
            )
        return Unreachable("no association")

    def _handshake(self) -> str:
        """Say why a TLS handshake fails, which pynetdicom does not tell; empty if it succeeds."""
        assert self._context is not None
        place = (self.address.host, self.address.port)
        try:
            with (
                socket.create_connection(place, CONNECT) as plain,
                self._context.wrap_socket(plain, server_hostname=self.address.host),
            ):
                return ""
        except ssl.SSLError as error:
            return error.reason or "it does not speak TLS"
        except OSError:
            return ""


def _text(data: Dataset, keyword: str) -> str:
    """Return a value of an answer as text; empty where there is none that can be read."""
    try:
        return str(data.get(keyword) or "")
    except Exception:  # a value that is damaged makes pydicom raise almost anything
        return ""


def _identifier(place: Place) -> Dataset:
    made = Dataset()
    made.QueryRetrieveLevel = "IMAGE"
    made.StudyInstanceUID, made.SeriesInstanceUID = place.study, place.series
    made.SOPInstanceUID = place.instance
    return made


def _own_address(address: DimseAddress) -> str:
    """Return this machine's address as the archive's network sees it; nothing is sent for that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((address.host, address.port))
        name: str = probe.getsockname()[0]
        return name
