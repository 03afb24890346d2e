"""The worker: rules, tries, what is set aside; each study is judged once and nobody is named."""

from __future__ import annotations

import errno
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dicom_node import NAME, clip, study_uid, write_config
from sqlalchemy.exc import OperationalError

import echokit
from echokit import StudyQueue, UsageError, hookimpl
from echokit.plugins.registry import Registry, registry
from echokit_dicom.node import work
from echokit_dicom.node.config import When, read_config
from echokit_dicom.node.spool import Spool
from echokit_dicom.node.work import Worker, read_facts, wants


@pytest.fixture
def make(tmp_path: Path, small_run: Path) -> Callable[..., Worker]:
    """Make a worker, by the TOML of its rule and settings of its node."""

    def made(rule: str = "", **node: object) -> Worker:
        told = read_config(write_config(tmp_path, small_run, rule=rule, **node))
        spool = Spool(told.node.folder)
        return Worker(told, spool, StudyQueue(spool.queue))

    return made


def receive(worker: Worker, number: int = 1, instance: int = 1, **tags: object) -> str:
    """Have a clip received as the storage SCP does, and return its study."""
    ds = clip(number, instance)
    for keyword, value in tags.items():
        setattr(ds, keyword, value)
    sent = worker.spool.folder / "sent.dcm"
    ds.save_as(sent)
    file, digest = worker.spool.keep(ds.StudyInstanceUID, ds.SOPInstanceUID, sent)
    sent.unlink()
    worker.queue.receive(ds.StudyInstanceUID, ds.SOPInstanceUID, file, digest, source="SENDER")
    worker.queue.complete()
    return str(ds.StudyInstanceUID)


def try_next(worker: Worker) -> Any:
    """Try the next study, and return how it stands then."""
    claimed = worker.queue.claim(worker.name)
    assert claimed is not None
    worker.try_once(claimed)
    return next(one for one in worker.queue.studies() if one.study == claimed.study)


def test_a_study_is_predicted_written_and_recorded_and_nobody_is_named(make):
    worker = make('write = ["folder"]')
    study = receive(worker)
    done = try_next(worker)
    assert (done.state, done.rule, done.reason) == ("done", "newborn", "")
    result = worker.spool.folder / "results" / done.result / "folder"
    document = json.loads((result / "prediction.json").read_text())
    assert document["subjects"][0]["views_used"] == ["A4C"]
    assert (result / "index.html").is_file()
    told = [event.event for event in worker.queue.events(study)]
    assert told == ["received", "claimed", "done"]
    for path in worker.spool.folder.rglob("*"):
        if path.is_file() and path.suffix != ".dcm":
            data = path.read_bytes()
            assert NAME.encode() not in data
            assert NAME.encode("latin-1") not in data
            assert b"MRN-1" not in data


def test_it_is_what_predict_says_of_the_same_file(make, small_run):
    worker = make()
    receive(worker)
    done = try_next(worker)
    written = worker.spool.result(done.study) / "folder" / "prediction.json"
    (file,) = worker.spool.files(done.study).iterdir()
    alone = echokit.load(small_run).predict(file, "A4C", saliency=False).to_json()
    assert json.loads(written.read_text())["subjects"] == json.loads(json.dumps(alone["subjects"]))


def test_networks_stay_loaded_from_one_study_to_the_next(make, monkeypatch):
    worker, load, loaded = make(), echokit.load, []

    def counted(*arguments: Any, **options: Any) -> Any:
        loaded.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(work, "load", counted)
    for number in (1, 2):
        receive(worker, number)
        assert try_next(worker).state == "done"
    assert len(loaded) == 1


def test_a_study_that_grew_has_one_result_of_all_its_files(make):
    worker = make()
    study = receive(worker)
    try_next(worker)
    receive(worker, 1, 2, PatientName="Other^One")
    done = try_next(worker)
    assert (done.study, done.revision, done.state) == (study, 2, "done")
    assert [path.name for path in (worker.spool.folder / "results").iterdir()] == [done.result]
    written = worker.spool.result(study) / "folder" / "prediction.json"
    document = json.loads(written.read_text())
    used = [clip for subject in document["subjects"] for clip in subject["clips"]]
    # the same pixels twice: a copy votes once, and is named
    assert len(used) + len(document["rejected"]) == 2


@pytest.mark.parametrize(
    ("when", "wanted"),
    [
        ("", True),
        ('when = { modality = ["US"] }', True),
        ('when = { modality = ["CT", "MR"] }', False),
        ('when = { modality = [], description = "NEWBORN" }', True),
        ('when = { description = "adult" }', False),
        ('when = { calling = ["SENDER"] }', True),
        ('when = { calling = ["OTHER"] }', False),
    ],
)
def test_rules_say_which_studies_they_want(make, monkeypatch, when, wanted):
    worker = make(when)
    judged = []
    monkeypatch.setattr(Worker, "_judge", lambda self, study, rule: judged.append(rule.name))
    receive(worker)
    done = try_next(worker)
    assert judged == (["newborn"] if wanted else [])
    assert (done.state, done.reason) == (
        ("done", "") if wanted else ("ignored", "no rule wants it")
    )


def test_an_empty_condition_wants_any_study():
    when = When(modality=(), calling=(), description="")
    assert wants(when, set(), "", "ANY")
    assert not wants(When(), set(), "", "ANY")


def test_facts_are_of_every_file_that_is_dicom(tmp_path):
    (tmp_path / "a").write_text("Dear colleague")
    clip().save_as(tmp_path / "b")
    assert read_facts([tmp_path / "a", tmp_path / "b"])[0] == {"US"}


def test_a_study_without_a_clip_to_judge_is_set_aside_at_once_and_says_why(make):
    worker = make()
    receive(worker, Modality="US", FrameTime="1e300")
    done = try_next(worker)
    assert (done.state, done.tries) == ("aside", 1)
    assert done.reason.startswith("No clip of the study can be used.")
    assert "MRN" not in done.reason


def test_a_try_that_fails_is_repeated_and_then_set_aside_and_blocks_nobody(make, monkeypatch):
    worker, judge = make(tries=2), Worker._judge
    bad = receive(worker, 1)
    receive(worker, 2)

    def failing(self: Worker, study: Any, rule: Any) -> None:
        if study.study == bad:
            raise ValueError(f"{NAME} is in this text")
        judge(self, study, rule)

    monkeypatch.setattr(Worker, "_judge", failing)
    assert try_next(worker).state == "waiting"
    ends = {try_next(worker).study: 1 for _ in range(2)}
    assert set(ends) == {bad, study_uid(2)}
    states = {one.study: (one.state, one.reason) for one in worker.queue.studies()}
    assert states == {bad: ("aside", "ValueError"), study_uid(2): ("done", "")}


def test_a_full_disk_is_no_try_of_the_study(make, monkeypatch):
    worker = make(tries=1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    receive(worker)
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "_judge", full)
        for _ in range(3):
            stands = try_next(worker)
            assert (stands.state, stands.reason) == ("waiting", "No space left on device")
    assert try_next(worker).state == "done"


def test_a_file_that_is_gone_is_a_try_of_the_study(make):
    worker = make(tries=2)
    study = receive(worker)
    worker.spool.forget(study)
    assert try_next(worker).state == "waiting"
    assert (try_next(worker).state, worker.queue.studies()[0].reason) == (
        "aside",
        "No such file or directory",
    )


def test_a_study_that_ends_the_process_each_time_is_set_aside(make):
    worker = make(tries=2)
    receive(worker)
    for _ in range(2):
        assert worker.queue.claim(worker.name) is not None
        worker.queue.release(worker.name)
    done = try_next(worker)
    assert (done.state, done.reason) == (
        "aside",
        "the node ended 2 times while working on it",
    )


def test_what_a_killed_node_left_of_a_result_is_written_anew(make):
    worker = make()
    study = receive(worker)
    (worker.spool.result(study) / "folder").mkdir(parents=True)
    (worker.spool.result(study) / "folder" / "prediction.json").write_text("{")
    assert try_next(worker).state == "done"
    json.loads((worker.spool.result(study) / "folder" / "prediction.json").read_text())


def test_files_are_removed_where_that_is_asked(make):
    worker = make(keep_files=False)
    study = receive(worker)
    assert try_next(worker).state == "done"
    assert not worker.spool.files(study).exists()


class Senders:
    """A writer that can send, and fails as often as it is told."""

    def __init__(self, fails: int) -> None:
        self.fails, self.sent = fails, []

    @hookimpl
    def register_writers(self, register: Any) -> None:
        def sender(*, send: str = "") -> Any:
            """Send a result."""

            def write(result: Any, out: Path) -> list[Path]:
                if self.fails:
                    self.fails -= 1
                    raise UsageError(f"{send} does not answer.")
                self.sent.append(send)
                out.mkdir()
                return [out]

            return write

        register("test-sender", sender)


@pytest.fixture
def plugins() -> Iterator[Registry]:
    """The process's registry with what is installed, to add to."""
    registry.cache_clear()
    yield registry()
    registry.cache_clear()


def test_a_result_is_sent_and_what_fails_is_sent_again(make, plugins):
    senders = Senders(fails=1)
    plugins.add(senders, "echokit-test:senders")
    worker = make('write = ["folder", "test-sender"]\nsend = "dimse:A@127.0.0.1:1"', tries=3)
    study = receive(worker)
    stands = try_next(worker)
    assert (stands.state, stands.reason) == ("waiting", "dimse:A@127.0.0.1:1 does not answer.")
    assert not worker.spool.result(study).exists()
    assert try_next(worker).state == "done"
    assert senders.sent == ["dimse:A@127.0.0.1:1"]
    assert [event.event for event in worker.queue.events(study)][-2:] == ["sent", "done"]


def test_an_address_without_a_writer_that_sends_is_refused_before_anything_listens(make):
    with pytest.raises(UsageError, match="no writer of folder can send"):
        make('send = "dimse:A@127.0.0.1:1"')


def test_a_queue_that_cannot_be_used_is_waited_for(make, monkeypatch):
    worker, stop = make(), threading.Event()
    receive(worker)
    claim, failed = worker.queue.claim, []

    def locked(owner: str) -> Any:
        if len(failed) < 2:
            failed.append(owner)
            raise OperationalError("UPDATE", {}, Exception("database is locked"))
        return claim(owner)

    monkeypatch.setattr(worker.queue, "claim", locked)
    monkeypatch.setattr(work, "PAUSE", 0.01)
    monkeypatch.setattr(Worker, "try_once", lambda self, study: stop.set())
    worker.work(stop)
    assert len(failed) == 2


def test_a_run_that_must_be_signed_and_is_not_is_no_run(make, tmp_path):
    echokit.make_signing_key(tmp_path / "key")
    worker = make(f'verify = "{tmp_path / "key.pub"}"', tries=1)
    receive(worker)
    done = try_next(worker)
    assert done.state == "aside"
    assert "sign" in done.reason
