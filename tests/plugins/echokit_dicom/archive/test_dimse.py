"""DIMSE against a real archive: find, get, move and store, and every refusal in a sentence."""

from __future__ import annotations

import gc
import logging
from pathlib import Path

import certificates
import pytest
from dicom_study import MRN, ROOT, encoded, study_uid, ultrasound
from pydicom import dcmread
from pydicom.examples import get_path

from echokit import ClipRef, DataError, resolve
from echokit_dicom.archive import dimse
from echokit_dicom.archive.address import parse_dimse
from echokit_dicom.archive.archive import Place, Unreachable
from echokit_dicom.archive.opening import open_archive

LEAKS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""pynetdicom leaves sockets that did not connect, or were cut, to the collector of garbage."""


def loader(address: str, **query: str):
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    return resolve("loader", "dimse", source=f"{address}?{asked}", tries=2)


@pytest.mark.parametrize("service", ["C-GET", "C-MOVE"])
def test_a_real_clip_comes_as_the_archive_keeps_it(archive, service):
    original = Path(get_path("ybr_color"))
    archive.put(original.read_bytes())
    kept = dcmread(original)
    move = {"move_port": str(archive.move_port)} if service == "C-MOVE" else {}
    made = loader(archive.dimse, StudyInstanceUID=kept.StudyInstanceUID, **move)
    (ref,) = (item for item in made.index() if isinstance(item, ClipRef))
    came = dcmread(made.file(ref))
    assert came.PixelData == kept.PixelData
    assert came.file_meta.TransferSyntaxUID == kept.file_meta.TransferSyntaxUID
    assert came == kept
    assert made.read(ref).frames.shape == (30, 240, 320)


@pytest.mark.parametrize("key", ["AccessionNumber", "PatientID", "SOPInstanceUID"])
def test_studies_are_asked_for_by_any_attribute(archive, key):
    for number in (1, 2):
        archive.put(encoded(ultrasound(number, study=40, patient="dimse-40")))
    archive.put(encoded(ultrasound(1, study=41, patient="dimse-41")))
    value = {
        "AccessionNumber": "A-40",
        "PatientID": "dimse-40",
        "SOPInstanceUID": f"{ROOT}.40.2",
    }[key]
    query = {"StudyInstanceUID": study_uid(40)} if key == "SOPInstanceUID" else {}
    found = list(loader(archive.dimse, **query, **{key: value}).index())
    assert len(found) == (1 if key == "SOPInstanceUID" else 2)
    assert all(isinstance(item, ClipRef) for item in found)


def test_an_object_is_stored_once(archive, tmp_path):
    path = tmp_path / "object"
    path.write_bytes(encoded(ultrasound(1, study=42)))
    place = Place(study_uid(42), f"{ROOT}.42.9.1", f"{ROOT}.42.1")
    opened = open_archive(parse_dimse(archive.dimse))
    assert not opened.holds(place)
    opened.store(path)
    assert opened.holds(place)
    (tmp_path / "back").write_bytes(archive.file(f"{ROOT}.42.1"))
    assert dcmread(tmp_path / "back") == dcmread(path)


@pytest.mark.parametrize(("called", "own"), [("ARCHIVE", "STRANGER"), ("ELSEWHERE", "ECHOKIT")])
def test_a_wrong_ae_title_on_either_end_is_refused(archive, called, own):
    address = archive.dimse.replace("ARCHIVE", called)
    with pytest.raises(DataError) as caught:
        list(loader(address, PatientID=MRN, aet=own).index())
    assert f"{called}@127.0.0.1" in str(caught.value)
    assert MRN not in str(caught.value)
    assert "refuses" in str(caught.value) or "offers no such service" in str(caught.value)


def test_a_destination_of_c_move_that_the_archive_does_not_know(archive):
    archive.put(encoded(ultrasound(1, study=43)))
    port = archive.move_port
    query = {"StudyInstanceUID": study_uid(43), "aet": "NOBODY", "move_port": str(port)}
    with pytest.raises(DataError, match="ARCHIVE"):
        list(loader(archive.dimse, **query).index())


def test_a_port_that_is_taken_cannot_receive(archive):
    archive.put(encoded(ultrasound(1, study=44)))
    query = {"StudyInstanceUID": study_uid(44), "move_port": str(archive.dicom_port)}
    with pytest.raises(DataError, match="give another as move_port"):
        list(loader(archive.dimse, **query).index())


def test_nothing_is_logged_of_whom_was_asked_for(archive, caplog):
    caplog.set_level(logging.DEBUG)
    archive.put(encoded(ultrasound(1, study=45, patient="dimse-45")))
    assert list(loader(archive.dimse, PatientID="dimse-45").index())
    assert "dimse-45" not in caplog.text


@LEAKS
def test_nobody_at_home_is_tried_again_and_then_said(archive):
    with pytest.raises(DataError, match=r"cannot be reached.*no association.*2 times"):
        list(loader("ARCHIVE@127.0.0.1:9", PatientID=MRN).index())
    gc.collect()


def test_tls_with_a_certificate_that_is_trusted(encrypted, archive, monkeypatch):
    held, _ = encrypted
    monkeypatch.setenv("ECHOKIT_ARCHIVE_CA", str(held.tls[0]))
    (ref,) = loader(held.dimse, PatientID=MRN, tls="1").index()
    assert ref.view == "A4C"


@LEAKS
@pytest.mark.parametrize("trusted", ["of the system", "another", "of another host"])
def test_tls_with_a_wrong_certificate_is_refused(
    encrypted, archive, monkeypatch, tmp_path, trusted
):
    held, _ = encrypted
    address = held.dimse
    if trusted == "another":
        other, _ = certificates.make(tmp_path / "other", "127.0.0.1")
        monkeypatch.setenv("ECHOKIT_ARCHIVE_CA", str(other))
    if trusted == "of another host":
        monkeypatch.setenv("ECHOKIT_ARCHIVE_CA", str(held.tls[0]))
        address = address.replace("127.0.0.1", "localhost")
    with pytest.raises(DataError, match=r"refused.*ECHOKIT_ARCHIVE_CA"):
        list(loader(address, PatientID=MRN, tls="1").index())
    gc.collect()


@LEAKS
def test_an_archive_killed_in_the_middle_of_a_clip_leaves_nothing_half(
    mortal, tmp_path, monkeypatch
):
    monkeypatch.setattr(dimse, "NETWORK", 5.0)
    archive, _, wire = mortal
    for number in (1, 2):
        archive.put(encoded(ultrasound(number, side=512)))
    listing = loader(f"ARCHIVE@127.0.0.1:{wire.port}", PatientID=MRN).index()
    first = next(listing)
    wire.cut_after = wire.passed + 1_000_000  # of 3.7 million
    with pytest.raises(DataError, match="type the command again to go on"):
        next(listing)
    assert archive.process is None
    assert len(list((tmp_path / "cache").iterdir())) == 1
    wire.cut_after = None
    archive.start()
    before = wire.passed
    again = list(loader(f"ARCHIVE@127.0.0.1:{wire.port}", PatientID=MRN).index())
    assert [type(item) for item in again] == [ClipRef, ClipRef]
    assert again[0] == first
    assert wire.passed - before < 5_000_000  # the second clip alone
    gc.collect()


@LEAKS
def test_an_archive_killed_while_it_stores_has_the_object_once(mortal, tmp_path, monkeypatch):
    monkeypatch.setattr(dimse, "ANSWER", 5.0)
    archive, _, wire = mortal
    path = tmp_path / "object"
    path.write_bytes(encoded(ultrasound(1, side=512)))
    opened = open_archive(parse_dimse(f"ARCHIVE@127.0.0.1:{wire.port}"))
    asked = wire.passed
    assert not opened.holds(Place(study_uid(1), f"{ROOT}.1.9.1", f"{ROOT}.1.1"))
    wire.cut_after = wire.passed + (wire.passed - asked) // 2 + 100  # after it has associated
    with pytest.raises(Unreachable):
        opened.store(path)
    wire.cut_after = None
    archive.start()
    opened.store(path)
    assert list(archive.instances()) == [f"{ROOT}.1.1"]
    gc.collect()
