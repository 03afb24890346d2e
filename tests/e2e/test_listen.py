"""A node between a sender and a real archive, killed at any moment: nothing lost, nothing doubled.

`ECHOKIT_ATTACK=1` kills it 30 times with 20 studies under way; else it is killed a few times.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from dicom_node import study_uid, write_clip, write_config
from orthanc import PASSWORD, USER, Orthanc, free_port, need_orthanc
from tools import needs
from traced import remotes, tracing

from echokit import StudyQueue

KILLS, STUDIES = (30, 20) if os.environ.get("ECHOKIT_ATTACK") else (2, 3)
PATIENCE = 600.0


class Node:
    """`echokit listen` in a process of its own, which can be killed and started again."""

    def __init__(self, config: Path, port: int) -> None:
        self.config, self.port = config, port
        self.process: subprocess.Popen[str] | None = None

    def start(self, *before: str | Path) -> None:
        environment = os.environ | {
            "ECHOKIT_ARCHIVE_USER": USER,
            "ECHOKIT_ARCHIVE_PASSWORD": PASSWORD,
        }
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "echokit", "listen", str(self.config)],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd=self.config.parent,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert line.startswith("Listening at"), line + self.process.stderr.read()

    def kill(self, sign: int = signal.SIGKILL) -> int:
        assert self.process is not None
        self.process.send_signal(sign)
        assert self.process.stderr is not None
        self.process.stderr.read()
        self.process.stderr.close()
        return self.process.wait()


def send_until_acknowledged(port: int, path: Path) -> None:
    """Have DCMTK send a file, again and again until it is acknowledged."""
    program = needs("/usr/bin/storescu", "dcmtk")
    words = [program, "-xy", "-aet", "SENDER", "-aec", "ECHOKIT", "127.0.0.1", str(port), str(path)]
    end = time.monotonic() + PATIENCE
    while subprocess.run(words, capture_output=True, timeout=60).returncode:
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Orthanc]:
    need_orthanc()
    made = Orthanc(tmp_path / "archive")
    made.start()
    yield made
    made.kill()


@pytest.fixture
def node(tmp_path: Path, small_run: Path, archive: Orthanc) -> Iterator[Node]:
    port = free_port()
    rule = f'write = ["folder", "dicom-sr"]\nsend = "dimse:{archive.dimse}"'
    config = write_config(
        tmp_path, small_run, rule=rule, port=port, quiet=0.2, tries=100, isolate=True
    )
    made = Node(config, port)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def wait_until_done(queue: StudyQueue, studies: int) -> None:
    end = time.monotonic() + PATIENCE
    while queue.counts()["done"] < studies and time.monotonic() < end:
        time.sleep(0.2)
    assert queue.counts() == dict.fromkeys(queue.counts(), 0) | {"done": studies}, [
        (one.study, one.state, one.reason) for one in queue.studies()
    ]


def reports(archive: Orthanc) -> Counter[str]:
    """Study -> number of structured reports that the archive holds of it."""
    found = requests.post(
        f"{archive.base}/tools/find",
        json={"Level": "Series", "Query": {"Modality": "SR"}, "Expand": True},
        auth=(USER, PASSWORD),
        timeout=20,
    ).json()
    counted: Counter[str] = Counter()
    for series in found:
        study = archive.get(f"/studies/{series['ParentStudy']}").json()
        counted[study["MainDicomTags"]["StudyInstanceUID"]] += len(series["Instances"])
    return counted


def test_killed_at_any_moment_every_study_has_exactly_one_result(node, archive, tmp_path):
    rng = random.Random(7)
    paths = [write_clip(tmp_path / "out", n) for n in range(STUDIES)]
    sender = threading.Thread(
        target=lambda: [send_until_acknowledged(node.port, path) for path in paths],
        daemon=True,
    )
    node.start()
    sender.start()
    for _ in range(KILLS):
        time.sleep(rng.uniform(0, 8))
        node.kill()
        node.start()
    sender.join(PATIENCE)
    assert not sender.is_alive()
    queue = StudyQueue(tmp_path / "node" / "queue.sqlite")
    wait_until_done(queue, STUDIES)
    wanted = {study_uid(n): 1 for n in range(STUDIES)}
    assert reports(archive) == wanted
    assert len(list((tmp_path / "node" / "results").iterdir())) == STUDIES
    assert list((tmp_path / "node" / "scratch").glob("*.dcm")) == []
    assert node.kill(signal.SIGTERM) == 143


def test_an_archive_that_is_killed_gets_its_result_when_it_is_back(node, archive, tmp_path):
    node.start()
    archive.kill()
    send_until_acknowledged(node.port, write_clip(tmp_path / "out"))
    queue = StudyQueue(tmp_path / "node" / "queue.sqlite")
    end = time.monotonic() + 60
    while not any(one.reason for one in queue.studies()) and time.monotonic() < end:
        time.sleep(0.1)
    (waiting,) = queue.studies()
    assert waiting.state in ("waiting", "working")
    assert re.search(r"127\.0\.0\.1|archive", waiting.reason), waiting.reason
    archive.start()
    wait_until_done(queue, 1)
    assert reports(archive) == {study_uid(1): 1}


def test_it_connects_to_its_archive_and_nowhere_else(node, archive, tmp_path):
    node.start(*tracing(tmp_path / "trace"))
    send_until_acknowledged(node.port, write_clip(tmp_path / "out"))
    wait_until_done(StudyQueue(tmp_path / "node" / "queue.sqlite"), 1)
    assert node.process is not None
    pid = node.process.pid
    traced = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(traced[0]), signal.SIGTERM)
    assert node.process.wait(60) == 143
    assert node.process.stderr is not None
    node.process.stderr.close()
    assert remotes(tmp_path / "trace") == {("127.0.0.1", archive.dicom_port)}
