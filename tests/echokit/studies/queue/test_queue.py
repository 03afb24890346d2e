"""The queue of studies: nothing is lost or doubled, in SQLite and in PostgreSQL alike."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from postgres import postgres, skip_without_postgres

from echokit import StudyQueue, UsageError
from echokit.studies.queue.values import STATES


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    skip_without_postgres()
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StudyQueue]:
    if request.param == "sqlite":
        made = StudyQueue(tmp_path / "queue.sqlite")
    else:
        made = StudyQueue(request.getfixturevalue("server"))
        empty(made)
    yield made
    made.close()


def empty(queue: StudyQueue) -> None:
    from echokit.studies.queue.tables import TABLES

    TABLES.drop_all(queue._engine)
    TABLES.create_all(queue._engine)


def give(queue: StudyQueue, study: str, *instances: str) -> None:
    for instance in instances:
        assert queue.receive(study, instance, f"files/{instance}", "digest", source="ARCHIVE")


def claimed(queue: StudyQueue, owner: str = "me"):
    found = queue.claim(owner)
    assert found is not None
    return found


def states(queue: StudyQueue) -> dict[str, str]:
    return {one.study: one.state for one in queue.studies()}


def test_a_study_goes_from_its_first_file_to_its_result(queue):
    give(queue, "1.2", "1.2.1", "1.2.2")
    assert states(queue) == {"1.2": "receiving"}
    assert queue.claim("me") is None
    assert queue.complete() == 1
    one = claimed(queue)
    assert (one.study, one.state, one.revision, one.tries) == ("1.2", "working", 2, 1)
    assert one.source == "ARCHIVE"
    assert queue.files("1.2") == ("files/1.2.1", "files/1.2.2")
    queue.finish(one, rule="newborn", result="abc")
    (done,) = queue.studies("done")
    assert (done.rule, done.result, done.reason) == ("newborn", "abc", "")
    assert done.finished >= done.changed >= done.received
    assert queue.counts() == dict.fromkeys(STATES, 0) | {"done": 1}
    told = [(event.event, event.study) for event in queue.events()]
    assert told == [(what, "1.2") for what in ("received", "received", "claimed", "done")]


def test_a_study_is_complete_after_a_quiet_time_or_when_it_is_said(queue):
    give(queue, "1.2", "1.2.1")
    give(queue, "1.3", "1.3.1")
    assert queue.complete(quiet=60) == 0
    assert queue.complete("1.3") == 1
    assert states(queue) == {"1.2": "receiving", "1.3": "waiting"}
    assert queue.complete(quiet=0) == 1
    assert claimed(queue).study == "1.2"  # whose last file is older


def test_a_file_that_comes_twice_changes_nothing(queue):
    give(queue, "1.2", "1.2.1")
    queue.complete()
    queue.finish(claimed(queue), rule="r", result="x")
    assert not queue.receive("1.2", "1.2.1", "files/other", "other")
    assert states(queue) == {"1.2": "done"}
    assert queue.files("1.2") == ("files/1.2.1",)


def test_a_study_that_grows_is_predicted_again_and_not_before_it_is_complete(queue):
    give(queue, "1.2", "1.2.1")
    queue.complete()
    first = claimed(queue)
    give(queue, "1.2", "1.2.2")  # while it is worked on
    assert states(queue) == {"1.2": "working"}
    queue.finish(first, rule="r", result="x")
    assert states(queue) == {"1.2": "receiving"}
    queue.complete()
    second = claimed(queue)
    assert (second.revision, second.tries) == (2, 1)
    queue.finish(second, rule="r", result="x")
    give(queue, "1.2", "1.2.3")  # after it was done
    assert states(queue) == {"1.2": "receiving"}


def test_each_study_is_claimed_by_one_of_many_workers(queue):
    for number in range(40):
        give(queue, f"1.{number}", f"1.{number}.1")
    queue.complete()
    begin = threading.Barrier(8)

    def work(worker: int) -> list[str]:
        begin.wait()
        found = []
        while (one := queue.claim(f"worker {worker}")) is not None:
            found.append(one.study)
            queue.finish(one, rule="r", result="x")
        return found

    with ThreadPoolExecutor(8) as pool:
        per_worker = list(pool.map(work, range(8)))
    worked = [study for found in per_worker for study in found]
    assert sorted(worked) == sorted(f"1.{number}" for number in range(40))


def test_files_of_one_study_from_many_associations_are_all_counted(queue):
    with ThreadPoolExecutor(8) as pool:
        new = list(
            pool.map(lambda n: queue.receive("1.2", f"1.2.{n % 30}", f"f{n % 30}", "d"), range(60))
        )
    assert sum(new) == 30
    assert len(queue.files("1.2")) == 30
    queue.complete()
    assert claimed(queue).revision == 30


def test_what_a_dead_worker_had_claimed_is_given_back_and_its_try_counts(queue):
    give(queue, "1.2", "1.2.1")
    queue.complete()
    claimed(queue, "dead")
    assert queue.release("another") == 0
    assert queue.release("dead") == 1
    assert claimed(queue).tries == 2


def test_a_failed_try_is_repeated_later_and_a_full_disk_is_no_try(queue):
    give(queue, "1.2", "1.2.1")
    queue.complete()
    queue.postpone(claimed(queue), "the archive is away", 3600)
    assert queue.claim("me") is None
    (waiting,) = queue.studies("waiting")
    assert (waiting.tries, waiting.reason) == (1, "the archive is away")
    give(queue, "1.3", "1.3.1")
    queue.complete()
    queue.postpone(claimed(queue), "No space left on device", 0, counts=False)
    assert claimed(queue).tries == 1


def test_a_study_that_was_set_aside_or_ignored_stays_so_until_it_is_asked_for(queue):
    for study, end in (("1.2", queue.set_aside), ("1.3", queue.ignore)):
        give(queue, study, f"{study}.1")
        queue.complete()
        end(claimed(queue), "why")
    assert states(queue) == {"1.2": "aside", "1.3": "ignored"}
    assert not queue.complete()
    assert queue.claim("me") is None
    assert queue.again("1.2")
    assert not queue.again("1.2")
    assert claimed(queue).tries == 1


def test_the_audit_log_is_kept_and_can_be_asked_for_one_study(queue):
    queue.note("refused", detail="an association of STRANGER")
    give(queue, "1.2", "1.2.1")
    give(queue, "1.3", "1.3.1")
    assert [event.detail for event in queue.events()] == [
        "an association of STRANGER",
        "ARCHIVE",
        "ARCHIVE",
    ]
    assert [event.study for event in queue.events("1.3")] == ["1.3"]


def test_it_is_all_there_when_it_is_opened_again(tmp_path):
    give(StudyQueue(tmp_path / "q"), "1.2", "1.2.1")
    assert states(StudyQueue(tmp_path / "q")) == {"1.2": "receiving"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nosuch://host/db", "is no database that can be opened"),
        ("sqlite:////no/such/folder/q", "unable to open database file"),
        ("postgresql+psycopg://u:secret@/db?host=/no/such/socket", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened_is_a_sentence_without_its_password(url, says):
    with pytest.raises(UsageError, match=says) as refused:
        StudyQueue(url)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "q").write_text("Dear colleague, " * 100)
    with pytest.raises(UsageError, match="cannot be opened: file is not a database"):
        StudyQueue(tmp_path / "q")


def test_a_locked_database_is_waited_for(tmp_path):
    queue = StudyQueue(tmp_path / "q")
    other = sqlite3.connect(tmp_path / "q", check_same_thread=False, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.5, other.rollback).start()
    give(queue, "1.2", "1.2.1")
    assert states(queue) == {"1.2": "receiving"}
