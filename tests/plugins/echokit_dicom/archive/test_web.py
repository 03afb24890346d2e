"""DICOMweb against a real archive: there and back bit for bit, and every refusal in a sentence."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import certificates
import pytest
from dicom_study import MRN, ROOT, encoded, study_uid, ultrasound
from pydicom import dcmread
from pydicom.examples import get_path

from echokit import ClipRef, DataError, Rejection, resolve
from echokit_dicom.archive import web
from echokit_dicom.archive.address import parse_web
from echokit_dicom.archive.archive import Place, Unreachable
from echokit_dicom.archive.opening import open_archive


def loader(address: str, **query: str):
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    return resolve("loader", "dicomweb", source=f"{address}?{asked}", tries=2)


def test_a_real_clip_comes_as_the_archive_keeps_it(archive):
    original = Path(get_path("ybr_color"))
    archive.put(original.read_bytes())
    uid = dcmread(original, stop_before_pixels=True).StudyInstanceUID
    made = loader(archive.web, StudyInstanceUID=uid)
    (ref,) = (item for item in made.index() if isinstance(item, ClipRef))
    assert made.file(ref).read_bytes() == original.read_bytes()
    assert made.read(ref).frames.shape == (30, 240, 320)


@pytest.mark.parametrize("key", ["AccessionNumber", "PatientID", "SOPInstanceUID", "StudyDate"])
def test_studies_are_asked_for_by_any_attribute(archive, key):
    for number in (1, 2):
        clip = ultrasound(number, study=30, patient="web-30", StudyDate="20250101")
        archive.put(encoded(clip))
    archive.put(encoded(ultrasound(1, study=31, patient="web-31", StudyDate="20250102")))
    value = {
        "AccessionNumber": "A-30",
        "PatientID": "web-30",
        "SOPInstanceUID": f"{ROOT}.30.2",
        "StudyDate": "20250101",
    }[key]
    query = {"StudyInstanceUID": study_uid(30)} if key == "SOPInstanceUID" else {}
    found = list(loader(archive.web, **query, **{key: value}).index())
    assert len(found) == (1 if key == "SOPInstanceUID" else 2)
    assert all(isinstance(item, ClipRef) for item in found)


def test_a_list_that_comes_in_parts_is_read_to_its_end(archive, monkeypatch):
    monkeypatch.setattr(web, "LIMIT", 1)
    for number in (1, 2, 3):
        archive.put(encoded(ultrasound(number, study=34, patient="web-34")))
    archive.put(encoded(ultrasound(1, study=35, patient="web-34")))
    assert len(list(loader(archive.web, PatientID="web-34").index())) == 4


def test_an_object_is_stored_once_and_kept_bit_for_bit(archive, tmp_path):
    path = tmp_path / "object"
    path.write_bytes(encoded(ultrasound(1, study=32)))
    place = Place(study_uid(32), f"{ROOT}.32.9.1", f"{ROOT}.32.1")
    opened = open_archive(parse_web(archive.web))
    assert not opened.holds(place)
    opened.store(path)
    assert opened.holds(place)
    assert archive.file(f"{ROOT}.32.1") == path.read_bytes()
    opened.store(path)  # the archive says that it has it


@pytest.mark.parametrize("wrong", ["PASSWORD", "TOKEN"])
def test_a_wrong_password_or_token_is_refused(archive, monkeypatch, wrong):
    if wrong == "TOKEN":
        monkeypatch.delenv("ECHOKIT_ARCHIVE_USER")
        monkeypatch.delenv("ECHOKIT_ARCHIVE_PASSWORD")
    monkeypatch.setenv(f"ECHOKIT_ARCHIVE_{wrong}", "not the right one")
    with pytest.raises(DataError, match=r"refuses the name, the password.*HTTP 401") as caught:
        list(loader(archive.web, PatientID=MRN).index())
    assert "not the right one" not in str(caught.value)
    assert MRN not in str(caught.value)


def test_a_study_that_is_not_there_is_named_by_its_key(archive):
    with pytest.raises(DataError, match=r"holds no study that matches.*AccessionNumber"):
        list(loader(archive.web, AccessionNumber="no-such").index())


def test_a_path_that_is_no_dicomweb_is_refused(archive):
    with pytest.raises(DataError, match="no DICOMweb"):
        list(loader(f"{archive.base}/nowhere", PatientID=MRN).index())


def test_nobody_at_home_is_tried_again_and_then_said(archive):
    with pytest.raises(DataError, match=r"cannot be reached.*no connection.*2 times"):
        list(loader("http://127.0.0.1:9/dicom-web", PatientID=MRN).index())


@contextmanager
def answering(status: int, body: bytes = b"", **headers: str) -> Iterator[tuple[str, list[str]]]:
    """A server that says the same to everybody; its address, and who asked for which path."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Authorization')}")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_redirection_is_not_followed():
    with (
        answering(302, Location="http://127.0.0.1:9/stolen") as (address, asked),
        pytest.raises(DataError, match="sends on to another address"),
    ):
        list(loader(address, PatientID=MRN).index())
    assert len(asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Log in</html>",
        b"{}",
        b"[1]",
        b'[{"0020000D": 5}]',
        b'[{"0020000D": {"Value": [{"a": 1}]}}]',
        b'[{"0020000D": {"vr": "UI", "Value": ["../../etc"]}}]',
        b"\xff\xfe",
    ],
)
def test_an_answer_that_is_no_dicomweb_is_one_sentence(body):
    with (
        answering(200, body, **{"Content-Type": "application/dicom+json"}) as (address, asked),
        pytest.raises(DataError, match=r"no DICOMweb|without its StudyInstanceUID") as caught,
    ):
        list(loader(address, PatientID=MRN).index())
    assert address in str(caught.value)
    assert len(asked) <= 2  # the list, and the instances of what it names
    assert MRN not in str(caught.value)


def test_a_token_goes_to_the_archive_and_to_no_proxy(monkeypatch):
    monkeypatch.delenv("ECHOKIT_ARCHIVE_USER", raising=False)
    monkeypatch.delenv("ECHOKIT_ARCHIVE_PASSWORD", raising=False)
    monkeypatch.setenv("ECHOKIT_ARCHIVE_TOKEN", "abc123")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with (
        answering(200, b"[]", **{"Content-Type": "application/dicom+json"}) as (address, asked),
        pytest.raises(DataError, match="holds no study"),
    ):
        list(loader(address, PatientID=MRN).index())
    assert [words.partition(" ")[2] for words in asked] == ["Bearer abc123"]


def test_nothing_is_logged_of_whom_was_asked_for(archive, caplog):
    caplog.set_level(logging.DEBUG)
    archive.put(encoded(ultrasound(1, study=33, patient="web-33")))
    assert list(loader(archive.web, PatientID="web-33").index())
    assert "web-33" not in caplog.text


@pytest.mark.parametrize(("status", "tries"), [(503, 2), (429, 2), (400, 1), (403, 1)])
def test_what_may_pass_is_tried_again_and_what_will_not_is_not(status, tries):
    with (
        answering(status) as (address, asked),
        pytest.raises(DataError, match=f"HTTP {status}"),
    ):
        list(loader(address, PatientID=MRN).index())
    assert len(asked) == tries


def test_tls_with_a_certificate_that_is_trusted(encrypted, archive, monkeypatch):
    held, proxy = encrypted
    monkeypatch.setenv("ECHOKIT_ARCHIVE_CA", str(held.tls[0]))
    (ref,) = loader(f"https://127.0.0.1:{proxy.port}/dicom-web", PatientID=MRN).index()
    assert ref.view == "A4C"


@pytest.mark.parametrize("trusted", ["of the system", "another", "of another host"])
def test_tls_with_a_wrong_certificate_is_refused(
    encrypted, archive, monkeypatch, tmp_path, trusted
):
    held, proxy = encrypted
    address = f"https://127.0.0.1:{proxy.port}/dicom-web"
    if trusted == "another":
        other, _ = certificates.make(tmp_path / "other", "127.0.0.1")
        monkeypatch.setenv("ECHOKIT_ARCHIVE_CA", str(other))
    if trusted == "of another host":
        monkeypatch.setenv("ECHOKIT_ARCHIVE_CA", str(held.tls[0]))
        address = address.replace("127.0.0.1", "localhost")
    with pytest.raises(DataError, match=r"certificate is not trusted, or is another host's"):
        list(loader(address, PatientID=MRN).index())


def test_an_archive_killed_in_the_middle_of_a_clip_leaves_nothing_half(mortal, tmp_path):
    archive, wire, _ = mortal
    for number in (1, 2):
        archive.put(encoded(ultrasound(number, side=512, frames=14)))
    address = f"http://127.0.0.1:{wire.port}/dicom-web"
    listing = loader(address, PatientID=MRN).index()
    first = next(listing)
    wire.cut_after = wire.passed + 1_000_000  # of 3.7 million
    with pytest.raises(DataError, match="type the command again to go on"):
        next(listing)
    assert archive.process is None
    kept = [path.name for path in (tmp_path / "cache").iterdir()]
    assert len(kept) == 1
    wire.cut_after = None
    archive.start()
    before = wire.passed
    again = list(loader(address, PatientID=MRN).index())
    assert [type(item) for item in again] == [ClipRef, ClipRef]
    assert again[0] == first
    assert wire.passed - before < 5_000_000  # the second clip alone
    assert not [item for item in again if isinstance(item, Rejection)]


def test_an_archive_killed_while_it_stores_has_the_object_once(mortal, tmp_path):
    archive, wire, _ = mortal
    path = tmp_path / "object"
    path.write_bytes(encoded(ultrasound(1, side=512)))
    opened = open_archive(parse_web(f"http://127.0.0.1:{wire.port}/dicom-web"))
    wire.cut_after = 10  # its answer is lost
    with pytest.raises(Unreachable):
        opened.store(path)
    wire.cut_after = None
    archive.start()
    opened.store(path)
    assert list(archive.instances()) == [f"{ROOT}.1.1"]
    assert archive.file(f"{ROOT}.1.1") == path.read_bytes()
