"""Addresses of archives, as they are typed: where an archive is, and what is asked of it.

No error quotes a query, since it may name a patient.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydicom.datadict import tag_for_keyword

from echokit import UsageError

WEB, DIMSE = "dicomweb", "dimse"
OWN_AET = "ECHOKIT"
"""AE title that echokit calls itself by where the address gives none."""
USUAL_KEYS = ("StudyInstanceUID", "AccessionNumber", "PatientID", "StudyDate")
"""Attributes that a study is usually asked for by."""
LOWER_KEYS = ("SeriesInstanceUID", "SOPInstanceUID", "Modality")
"""Attributes of series and instances; the others are those of studies."""
OWN_KEYS = ("aet", "tls", "move_port")
"""What an address may say of an association, besides attributes of DICOM."""
_AET = re.compile(r"[ -\[\]-~]{1,16}")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Where a DICOMweb service is (PS3.18)."""

    url: str
    """Base of the service, such as `https://archive:8443/dicom-web`, without a query."""
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """DICOM keyword -> value that studies must match."""

    @property
    def shown(self) -> str:
        """The address without its query."""
        return f"{WEB}:{self.url}"


@dataclass(frozen=True, slots=True)
class DimseAddress:
    """Where an application entity listens (PS3.8)."""

    aet: str
    """Its AE title."""
    host: str
    port: int
    own_aet: str = OWN_AET
    """AE title that echokit calls itself by."""
    tls: bool = False
    """Whether the association is encrypted (PS3.15 B)."""
    move_port: int | None = None
    """Port on which what C-MOVE sends is received; None takes C-GET."""
    query: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    """DICOM keyword -> value that studies must match."""

    @property
    def shown(self) -> str:
        """The address without its query."""
        return f"{DIMSE}:{self.aet}@{self.host}:{self.port}"


def parse_web(text: str) -> WebAddress:
    """Parse `https://host:port/path?Keyword=value`.

    Raises:
        UsageError: it is no such address, or holds a password.
    """
    form = "Write http(s)://HOST[:PORT]/PATH[?StudyInstanceUID=UID]."
    parts = _split(text, form)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"A DICOMweb service's address begins with http:// or https://. {form}")
    if parts.username or parts.password:
        raise UsageError(
            "A name and a password do not belong into an address, where other users can read them: "
            "set ECHOKIT_ARCHIVE_USER and ECHOKIT_ARCHIVE_PASSWORD."
        )
    _port(parts, form)
    url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return WebAddress(url, _query(parts.query))


def parse_dimse(text: str) -> DimseAddress:
    """Parse `AET@HOST:PORT?Keyword=value`, with `aet`, `tls` and `move_port` among the keywords.

    Raises:
        UsageError: it is no such address.
    """
    form = "Write AET@HOST:PORT[?StudyInstanceUID=UID], such as ARCHIVE@127.0.0.1:4242."
    parts = _split(f"dimse://{text}", form)
    port, aet = _port(parts, form), parts.netloc.rpartition("@")[0]
    if not aet or not parts.hostname or port is None or parts.path not in ("", "/"):
        raise UsageError(f"The address of a DICOM application entity is not complete. {form}")
    own = {key: value for key, value in parse_qsl(parts.query) if key in OWN_KEYS}
    own_aet, move_port = own.get("aet", OWN_AET), own.get("move_port")
    for title in (aet, own_aet):
        if not _AET.fullmatch(title) or not title.strip():
            raise UsageError(f"{title!r} is no AE title: it has 1 to 16 characters without '\\'.")
    if own.get("tls", "0") not in ("0", "1"):
        raise UsageError("tls is 1 for an encrypted association, 0 for one in the clear.")
    if move_port is not None and not (move_port.isdecimal() and 0 < int(move_port) < 65536):
        raise UsageError("move_port is the port on which C-MOVE's clips are received: 1 to 65535.")
    if move_port is not None and own.get("tls") == "1":
        raise UsageError("C-MOVE's clips would come in the clear: leave out move_port, or tls=1.")
    return DimseAddress(
        aet,
        parts.hostname,
        port,
        own_aet,
        own.get("tls") == "1",
        None if move_port is None else int(move_port),
        _query(parts.query, besides=tuple(own)),
    )


def parse_destination(text: str) -> WebAddress | DimseAddress:
    """Parse where results are sent: `dicomweb:URL` or `dimse:AET@HOST:PORT`.

    Raises:
        UsageError: it is neither, or holds a query.
    """
    kind, _, rest = text.partition(":")
    if kind not in (WEB, DIMSE):
        raise UsageError(
            "Results are sent to dicomweb:URL, or to dimse:AET@HOST:PORT; the address begins with "
            "neither word."
        )
    address = parse_web(rest) if kind == WEB else parse_dimse(rest)
    if address.query:
        raise UsageError(f"{address.shown}: what is sent to takes no query; leave it out.")
    return address


def need_query(address: WebAddress | DimseAddress) -> None:
    """Refuse to ask for everything that an archive holds.

    Raises:
        UsageError: the address has no query.
    """
    if not address.query:
        raise UsageError(
            f"{address.shown} asks for the whole archive. Say which studies by "
            f"{', '.join(USUAL_KEYS)} or another attribute: {address.shown}?StudyInstanceUID=UID"
        )


def _split(text: str, form: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise UsageError(f"The archive's address cannot be read. {form}") from None


def _port(parts: SplitResult, form: str) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise UsageError(f"The port of the archive's address is no number. {form}") from None


def _query(text: str, besides: Sequence[str] = ()) -> Mapping[str, str]:
    query = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        if key in besides:
            continue
        if tag_for_keyword(key) is None:
            near = get_close_matches(key, [*USUAL_KEYS, *LOWER_KEYS], n=1)
            raise UsageError(
                f"The query asks for {key!r}, which is no keyword of DICOM: did you mean "
                f"{near[0] if near else ', '.join(USUAL_KEYS)}?"
            )
        if not value.strip("*? "):
            raise UsageError(f"The query says nothing of {key}: give a value.")
        query[key] = value
    return MappingProxyType(query)
