"""How the tries of a page's worker end."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from echokit import CohortError, StudyQueue
from echokit_web import judging
from echokit_web.work_folder import WorkFolder
from echokit_web.worker import TRIES, Worker


@pytest.fixture
def worker(tmp_path):
    folder = WorkFolder(tmp_path / "page")
    queue = StudyQueue(folder.queue)
    queue.receive("s", "0001", "files/s/s/0001.dcm", "digest")
    queue.complete("s")
    made: Any = Worker(SimpleNamespace(run="x"), folder, queue)  # type: ignore[arg-type]
    yield made
    queue.close()


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def predict(*_: object) -> None:
        raise error

    monkeypatch.setattr(judging, "predict", predict)
    monkeypatch.setattr(judging, "write_refused", lambda *_: None)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (CohortError("No clip of the study can be used."), "aside", "No clip of the study"),
        (ValueError("Mustermann"), "aside", "ValueError"),
        (OSError(28, "No space left on device"), "waiting", "No space left on device"),
    ],
)
def test_a_try_that_fails_says_why_and_names_nobody(worker, monkeypatch, error, state, reason):
    failing(monkeypatch, error)
    worker.try_once(worker.queue.claim("page"))
    told = worker.queue.find("s")
    assert (told.state, reason in told.reason, "Mustermann" in told.reason) == (state, True, False)
    assert worker.progress() == {}


def test_a_study_that_ends_the_process_each_time_is_set_aside(worker):
    for _ in range(TRIES):
        worker.queue.claim("page")
        worker.queue.release("page")
    worker.try_once(worker.queue.claim("page"))
    assert worker.queue.find("s").state == "aside"
    assert f"ended {TRIES} times" in worker.queue.find("s").reason


def test_a_page_that_is_stopped_gives_its_study_back_and_that_is_no_try(worker, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def predict(*_: object) -> None:
        begun.set()
        go_on.wait(20)
        raise ValueError

    monkeypatch.setattr(judging, "predict", predict)
    worker.start()
    assert begun.wait(20)
    worker.stop()
    try:
        told = worker.queue.find("s")
        assert (told.state, told.tries) == ("waiting", 0)
    finally:
        go_on.set()
        worker._thread.join(20)
    assert worker.queue.find("s").state == "waiting"


def test_the_worker_goes_on_when_the_queue_was_away(worker, monkeypatch):
    from sqlalchemy.exc import OperationalError

    calls = []
    claim = worker.queue.claim

    def away(owner: str) -> Any:
        calls.append(owner)
        if len(calls) == 1:
            raise OperationalError("", {}, Exception("locked"))
        return claim(owner)

    monkeypatch.setattr(worker.queue, "claim", away)
    failing(monkeypatch, CohortError("none"))
    worker.start()
    end = time.monotonic() + 20
    while worker.queue.find("s").state != "aside" and time.monotonic() < end:
        time.sleep(0.05)
    worker.stop()
    assert worker.queue.find("s").state == "aside"
