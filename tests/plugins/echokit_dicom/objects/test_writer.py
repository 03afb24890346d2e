"""What is written is sent once, and a receipt says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pydicom import dcmread

from echokit import DataError, UsageError, resolve
from echokit_dicom.archive import archive as archives
from echokit_dicom.archive.archive import Found, Place, Unreachable
from echokit_dicom.objects.overlay import make_overlays
from echokit_dicom.objects.writer import RECEIPT, ObjectWriter


class Shelf:
    """An archive in memory that fails as often as it is told to."""

    shown = "dicomweb:http://shelf"

    def __init__(self, failures: int = 0, refuses: bool = False) -> None:
        self.held: dict[Place, bytes] = {}
        self.failures, self.refuses, self.asked = failures, refuses, 0

    def find(self, query: Mapping[str, str]) -> Iterator[Found]:
        raise NotImplementedError

    def fetch(self, place: Place, out: Path) -> None:
        raise NotImplementedError

    def holds(self, place: Place) -> bool:
        return place in self.held

    def store(self, path: Path) -> None:
        if self.refuses:
            raise DataError(f"{self.shown} did not take {path.name}: status A900H.")
        self.asked += 1
        ds = dcmread(path)
        place = Place(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)
        assert place not in self.held, "sent twice"
        self.held[place] = path.read_bytes()
        if self.asked <= self.failures:  # it has it, but its answer is lost
            raise Unreachable("the answer ended early")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(archives, "FIRST_WAIT", 0.0)


def test_predicting_twice_sends_nothing_twice(result_of, tmp_path):
    shelf = Shelf()
    writer = ObjectWriter("saliency", make_overlays, shelf)
    first = writer(result_of(), tmp_path / "first")
    again = writer(result_of(), tmp_path / "again")
    assert [path.name for path in first] == ["saliency-P1-1.dcm", "saliency-P1-2.dcm", RECEIPT]
    assert len(shelf.held) == 2
    assert first[-1].read_text().count("sent to dicomweb:http://shelf") == 2
    assert again[-1].read_text().count("already in dicomweb:http://shelf") == 2
    assert first[0].read_bytes() in shelf.held.values()


def test_an_answer_that_was_lost_is_no_second_copy(result_of, tmp_path):
    shelf = Shelf(failures=1)
    written = ObjectWriter("saliency", make_overlays, shelf)(result_of(), tmp_path / "out")
    assert len(shelf.held) == 2
    assert "already in" in written[-1].read_text()


def test_what_is_refused_stays_on_disk_and_the_receipt_says_what_was_sent(result_of, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(DataError, match="did not take saliency-P1-1"):
        ObjectWriter("saliency", make_overlays, Shelf(refuses=True))(result_of(), out)
    assert len(list(out.glob("*.dcm"))) == 2
    assert (out / RECEIPT).read_text() == "Nothing was sent yet.\n"


@pytest.mark.parametrize(
    ("send", "told"),
    [
        ("http://host/dicom-web", "sent to dicomweb:URL, or to dimse:AET@HOST:PORT"),
        ("dicomweb:ftp://host", "begins with http"),
        ("dimse:host:104", "not complete"),
        ("dicomweb:http://host?PatientID=MRN-4711", "takes no query"),
    ],
)
def test_a_wrong_address_is_refused_when_the_writer_is_made(send, told):
    with pytest.raises(UsageError, match=told) as caught:
        resolve("writer", "dicom-sr", send=send)
    assert "MRN-4711" not in str(caught.value)


def test_a_folder_that_is_there_is_kept(result_of, tmp_path):
    with pytest.raises(UsageError, match="already exists"):
        resolve("writer", "dicom-sr")(result_of(), tmp_path)
