"""Clips of an archive, one after the other: retried, resumed, and never half a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from dicom_study import MRN, NAME, encoded, ultrasound
from pydicom.dataset import Dataset

from echokit import ClipError, ClipRef, DataError, Rejection, pseudonym, whole_file
from echokit_dicom.archive import archive as archives
from echokit_dicom.archive.archive import Found, Place, Unreachable
from echokit_dicom.archive.cache import Cache
from echokit_dicom.archive.labels import read_labels
from echokit_dicom.archive.loader import ArchiveLoader, Reading


class Shelf:
    """An archive in memory, of which each fetch after the first few fails."""

    shown = "dicomweb:http://shelf"

    def __init__(self, *clips: Dataset, fails_after: int = 99, modality: str = "US") -> None:
        self.clips = {_place(ds): ds for ds in clips}
        self.fails_after, self.modality = fails_after, modality
        self.fetched: Counter[Place] = Counter()
        self.tries = 0

    def find(self, query: Mapping[str, str]) -> Iterator[Found]:
        for place, ds in self.clips.items():
            yield Found(place, self.modality, ds.SOPClassUID, int(ds.NumberOfFrames))

    def fetch(self, place: Place, out: Path) -> None:
        self.tries += 1
        if self.tries > self.fails_after:
            raise Unreachable("no connection")
        self.fetched[place] += 1
        with whole_file(out) as partial:
            partial.write_bytes(encoded(self.clips[place]))

    def holds(self, place: Place) -> bool:
        return place in self.clips

    def store(self, path: Path) -> None:
        raise NotImplementedError


def _place(ds: Dataset) -> Place:
    return Place(ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(archives, "FIRST_WAIT", 0.0)


@pytest.fixture
def loader(tmp_path):
    def make(shelf: Shelf, **reading: object) -> ArchiveLoader:
        cache = Cache(tmp_path / "cache", 7)
        return ArchiveLoader(shelf, {"PatientID": MRN}, cache, Reading(**reading))

    return make


def test_clips_are_listed_by_pseudonym_and_read_as_files_are(loader):
    made = loader(Shelf(ultrasound(1), ultrasound(2, SeriesDescription="PLAX")))
    refs = list(made.index())
    assert [ref.view for ref in refs] == ["A4C", "PLAX"]
    assert {ref.patient for ref in refs} == {pseudonym(MRN)}
    assert len({ref.clip for ref in refs}) == 2
    clip = made.read(refs[0])
    assert clip.frames.shape == (14, 64, 64)
    assert clip.fps == 25
    assert made.fingerprint(refs[0]) != made.fingerprint(refs[1])
    shown = "".join(f"{ref.clip}{ref.patient}{ref.view}" for ref in refs)
    assert MRN not in shown
    assert NAME.partition("^")[0] not in shown


def test_they_are_fetched_one_by_one_as_they_are_asked_for(loader):
    shelf = Shelf(ultrasound(1), ultrasound(2))
    found = loader(shelf).index()
    next(iter(found))
    assert shelf.fetched.total() == 1


def test_what_has_arrived_is_not_fetched_again(loader):
    shelf = Shelf(ultrasound(1), ultrasound(2), ultrasound(3), fails_after=2)
    with pytest.raises(DataError, match=r"no connection.*4 times\. What has arrived is kept"):
        list(loader(shelf).index())
    shelf.fails_after = 99
    assert len(list(loader(shelf).index())) == 3
    assert set(shelf.fetched.values()) == {1}


def test_a_failure_that_passes_is_not_noticed(loader, monkeypatch):
    shelf, failed = Shelf(ultrasound(1)), []
    fetch = shelf.fetch

    def fails_twice(place, out):
        failed.append(place)
        if len(failed) < 3:
            raise Unreachable("the answer ended early")
        fetch(place, out)

    monkeypatch.setattr(shelf, "fetch", fails_twice)
    (ref,) = loader(shelf).index()
    assert isinstance(ref, ClipRef)
    assert len(failed) == 3


def test_another_process_reads_by_the_reference_alone(loader, tmp_path):
    shelf = Shelf(ultrasound(1))
    (ref,) = loader(shelf).index()
    (path,) = (tmp_path / "cache").glob("*.dcm")
    path.unlink()
    assert loader(shelf).read(ref).frames.shape == (14, 64, 64)
    assert loader(shelf).file(ref) == path


@pytest.mark.parametrize("where", ["", "1.2/3", "../../etc/passwd", "1.2/1.3/x"])
def test_an_address_of_something_else_is_refused(loader, where):
    with pytest.raises(ClipError, match="its address is none of an archive"):
        loader(Shelf()).read(ClipRef("x", "p", None, where=where))


def test_what_cannot_be_a_clip_is_not_fetched(loader):
    shelf = Shelf(ultrasound(1, frames=1))
    assert list(loader(shelf).index()) == [
        Rejection("object 1", "it has one frame: a still image, not a clip")
    ]
    other = Shelf(ultrasound(1), modality="MR")
    (rejection,) = loader(other).index()
    assert rejection.reason == "its modality is 'MR', not ultrasound ('US')"
    assert shelf.tries == other.tries == 0


def test_a_clip_that_the_reader_refuses_is_named_by_its_number(loader):
    (rejection,) = loader(Shelf(ultrasound(1, Modality="MR"))).index()
    assert rejection.where == "object 1"
    assert "modality is 'MR'" in rejection.reason


def test_a_clip_of_nobody_is_rejected(loader):
    (rejection,) = loader(Shelf(ultrasound(1, patient=""))).index()
    assert "names no patient" in rejection.reason


def test_labels_come_from_the_sheet(loader, tmp_path):
    (tmp_path / "labels.csv").write_text(f"patient,grade\n{MRN},2\n")
    made = loader(Shelf(ultrasound(1)), labels=read_labels(tmp_path / "labels.csv"))
    (ref,) = made.index()
    assert dict(ref.labels) == {"grade": "2"}


def test_an_empty_answer_names_the_keys_and_not_their_values(loader):
    with pytest.raises(DataError, match=r"no study that matches.*\(PatientID\)") as caught:
        list(loader(Shelf()).index())
    assert MRN not in str(caught.value)
