"""An archive by DICOMweb: QIDO-RS, WADO-RS and STOW-RS (PS3.18), by dicomweb-client."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, final

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom import dcmread

from echokit import DataError, whole_file
from echokit_dicom.archive.address import LOWER_KEYS, WebAddress
from echokit_dicom.archive.archive import Found, Place, Unreachable, hush
from echokit_dicom.archive.credentials import PREFIX, Credentials

TIMEOUT = (10.0, 120.0)
"""Seconds to wait for a connection, and for the next bytes of an answer."""
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP status codes after which it is tried again."""
LIMIT = 200
"""Entries of a list that are asked for at once."""
FIELDS = ("Modality", "NumberOfFrames", "SOPClassUID")
"""What is asked of each instance besides its identifiers."""

NONE_OF_DICOM = "what is no DICOMweb: is the path of the address right?"

T = TypeVar("T")


@final
class WebArchive:
    """A DICOMweb service."""

    def __init__(self, address: WebAddress, credentials: Credentials) -> None:
        hush()
        self.shown = address.shown
        self._client = DICOMwebClient(address.url, session=_session(credentials), timeout=TIMEOUT)
        self._client.set_http_retry_params(retry=False)  # see `persist`

    def find(self, query: Mapping[str, str]) -> Iterator[Found]:
        """List the instances of the studies that match; see `Archive`."""
        lower = {key: value for key, value in query.items() if key in LOWER_KEYS}
        upper = {key: value for key, value in query.items() if key not in LOWER_KEYS}
        for study in self._all(self._client.search_for_studies, upper):
            if not (uid := _value(study, "0020000D")):
                raise DataError(f"{self.shown} lists a study without its StudyInstanceUID.")

            def search(uid: str = uid, **options: Any) -> list[dict[str, Any]]:
                found: list[dict[str, Any]] = self._client.search_for_instances(
                    uid, fields=FIELDS, **options
                )
                return found

            for one in self._all(search, lower):
                frames = _value(one, "00280008").removesuffix(".0")
                yield Found(
                    Place(uid, _value(one, "0020000E"), _value(one, "00080018")),
                    _value(one, "00080060"),
                    _value(one, "00080016"),
                    int(frames) if frames.isdecimal() else None,
                )

    def fetch(self, place: Place, out: Path) -> None:
        """Write an instance to a file; see `Archive`."""
        data = self._ask(
            lambda: self._client.retrieve_instance(
                place.study, place.series, place.instance, media_types=(("application/dicom", "*"),)
            )
        )
        if str(data.get("SOPInstanceUID")) != place.instance:
            raise DataError(f"{self.shown} sent another instance than the one that was asked for.")
        with whole_file(out) as partial:
            data.save_as(partial, enforce_file_format=True)

    def holds(self, place: Place) -> bool:
        """Say whether an instance is there; see `Archive`."""
        wanted = {"SOPInstanceUID": place.instance}
        found = self._ask(
            lambda: self._client.search_for_instances(
                place.study, place.series, search_filters=wanted
            )
        )
        return any(_value(one, "00080018") == place.instance for one in found)

    def store(self, path: Path) -> None:
        """Give the archive a file; see `Archive`."""
        data = dcmread(path)
        answer = self._ask(lambda: self._client.store_instances([data]))
        for item in answer.get("FailedSOPSequence") or ():
            reason = int(item.get("FailureReason") or 0)
            raise DataError(f"{self.shown} did not take {path.name}: failure reason {reason:04X}H.")
        stored = answer.get("ReferencedSOPSequence") or ()
        if data.SOPInstanceUID not in [item.get("ReferencedSOPInstanceUID") for item in stored]:
            raise DataError(f"{self.shown} did not confirm that it keeps {path.name}.")

    def _all(
        self, search: Callable[..., list[dict[str, Any]]], filters: Mapping[str, str]
    ) -> Iterator[dict[str, Any]]:
        """Yield every entry of a list that comes in parts; one that brings nothing new ends it."""
        seen = set[str]()
        while True:
            ask = partial(search, search_filters=dict(filters), limit=LIMIT, offset=len(seen))
            part = self._ask(ask)
            new = [one for one in part if _key(one) not in seen]
            seen.update(map(_key, new))
            yield from new
            if not new:  # a part may be shorter than asked for
                return

    def _ask(self, request: Callable[[], T]) -> T:
        """Ask, and say of every failure what it means.

        Raises:
            Unreachable: it may pass.
            DataError: it will not.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pydicom, which quote values
                return request()
        except requests.exceptions.SSLError:
            raise DataError(
                f"{self.shown}: its certificate is not trusted, or is another host's. Name the "
                f"file of the certificates that you trust in {PREFIX}CA."
            ) from None
        except requests.exceptions.HTTPError as error:
            raise self._refused(error) from None
        except requests.exceptions.TooManyRedirects:
            raise DataError(
                f"{self.shown} sends on to another address, which is not followed: give that one."
            ) from None
        except requests.exceptions.InvalidJSONError:
            raise DataError(f"{self.shown} answers {NONE_OF_DICOM}") from None
        except requests.exceptions.RequestException as error:
            raise Unreachable(_reason(error)) from None
        except (ValueError, KeyError, TypeError, AttributeError, EOFError):
            raise DataError(f"{self.shown} answers {NONE_OF_DICOM}") from None

    def _refused(self, error: requests.exceptions.HTTPError) -> Exception:
        code = error.response.status_code if error.response is not None else 0
        if code in (401, 403):
            return DataError(
                f"{self.shown} refuses the name, the password or the token (HTTP {code}): set "
                f"{PREFIX}USER and {PREFIX}PASSWORD, or {PREFIX}TOKEN."
            )
        if code in PASSING:
            return Unreachable(f"HTTP {code}")
        if code == 404:
            return DataError(f"{self.shown}: there is no such study, or no DICOMweb at this path.")
        return DataError(f"{self.shown} refuses the request (HTTP {code}).")


def _session(credentials: Credentials) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # neither proxies nor passwords that the address does not name
    session.max_redirects = 0
    if credentials.token:
        session.headers["Authorization"] = f"Bearer {credentials.token}"
    elif credentials.user:
        session.auth = (credentials.user, credentials.password)
    if credentials.authorities:
        session.verify = credentials.authorities
    if credentials.certificate:
        session.cert = (credentials.certificate, credentials.key)
    return session


def _reason(error: requests.exceptions.RequestException) -> str:
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the answer ended early"
    return "no connection"


def _key(entry: Mapping[str, Any]) -> str:
    return _value(entry, "00080018") or _value(entry, "0020000D")


def _value(entry: Mapping[str, Any], tag: str) -> str:
    """Return the first value of an attribute in DICOM JSON (PS3.18 F), as text; empty of none."""
    element: object = entry.get(tag) if isinstance(entry, Mapping) else None
    values: object = element.get("Value") if isinstance(element, Mapping) else None
    return str(values[0]) if isinstance(values, list) and values else ""
