"""What users say of studies in a queue."""

from __future__ import annotations

from pathlib import Path

import pytest

from echokit import StudyQueue


@pytest.fixture
def queue(tmp_path: Path):
    made = StudyQueue(tmp_path / "queue.sqlite")
    yield made
    made.close()


def test_the_last_correction_of_a_file_counts_and_none_is_overwritten(queue):
    queue.remarks.correct("s", "0001", user="anna", view="A4C")
    queue.remarks.correct("s", "0002", user="anna", excluded=True)
    queue.remarks.correct("s", "0001", user="ben", view="PLAX", anyway=True)
    queue.remarks.correct("other", "0001", user="ben", view="A4C")
    said = queue.remarks.corrections("s")
    assert {file: (one.user, one.view, one.excluded, one.anyway) for file, one in said.items()} == {
        "0001": ("ben", "PLAX", False, True),
        "0002": ("anna", "", True, False),
    }
    with queue._begin() as db:
        assert db.exec_driver_sql("select count(*) from corrections").scalar() == 4


def test_readings_are_kept_in_order_with_user_and_time_and_whether_they_were_blind(queue):
    queue.remarks.read("s", user="anna", label="mild", blind=True)
    queue.remarks.read("s", user="anna", label="none", blind=False)
    queue.remarks.read("other", user="ben", label="mild", blind=True)
    first, second = queue.remarks.readings("s")
    assert (first.user, first.label, first.blind) == ("anna", "mild", True)
    assert (second.label, second.blind) == ("none", False)
    assert first.time <= second.time
    assert len(queue.remarks.readings()) == 3


def test_what_is_removed_takes_its_remarks_along_and_no_other_study_s(queue):
    for study in ("s", "other"):
        queue.receive(study, "1", "1.dcm", "digest")
        queue.remarks.correct(study, "0001", user="anna", view="A4C")
        queue.remarks.read(study, user="anna", label="mild", blind=True)
    assert queue.find("s").study == "s"
    assert queue.remove("s")
    assert queue.find("s") is None
    assert (queue.files("s"), queue.remarks.corrections("s"), queue.remarks.readings("s")) == (
        (),
        {},
        [],
    )
    assert len(queue.remarks.readings()) == len(queue.remarks.corrections("other")) == 1
    assert not queue.remove("s")
    assert [one.event for one in queue.events("s")] == ["received", "removed"]


def test_a_study_that_somebody_works_on_is_not_removed(queue):
    queue.receive("s", "1", "1.dcm", "digest")
    queue.complete("s")
    queue.claim("me")
    assert not queue.remove("s")
    assert queue.files("s") == ("1.dcm",)
