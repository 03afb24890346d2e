"""The storage SCP, as DCMTK and pynetdicom see it: what it acknowledges is on the disk."""

from __future__ import annotations

import errno
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import make as make_certificate
from dicom_node import NAME, clip, study_uid, write_clip
from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.sop_class import UltrasoundMultiFrameImageStorage, Verification
from tools import needs

from echokit import StudyQueue, UsageError
from echokit.studies.queue import database
from echokit_dicom.node.config import Node, Tls
from echokit_dicom.node.spool import Spool
from echokit_dicom.node.storage import (
    CANNOT_UNDERSTAND,
    MISMATCH,
    NO_ROOM,
    SUCCESS,
    Counts,
    Storage,
    transfer_syntaxes,
)

JPEG = "1.2.840.10008.1.2.4.50"


@dataclass
class Listening:
    """A node that listens."""

    port: int
    spool: Spool
    queue: StudyQueue
    counts: Counts

    def call(
        self, *words: str | Path, program: str = "storescu"
    ) -> subprocess.CompletedProcess[str]:
        """Call a program of DCMTK as SENDER."""
        own = [needs(f"/usr/bin/{program}", "dcmtk"), "-aet", "SENDER", "-aec", "ECHOKIT"]
        return subprocess.run(
            [*own, "127.0.0.1", str(self.port), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def send(self, ds, calling: str = "SENDER", called: str = "ECHOKIT") -> int | None:
        """Send a data set by pynetdicom, and return its status; None if nobody listens to it."""
        entity = AE(ae_title=calling)
        entity.add_requested_context(UltrasoundMultiFrameImageStorage, [JPEG])
        entity.add_requested_context(Verification)
        association = entity.associate("127.0.0.1", self.port, ae_title=called)
        if not association.is_established:
            return None
        try:
            return int(association.send_c_store(ds).Status)
        finally:
            association.release()

    @property
    def files(self) -> list[Path]:
        return [path for path in (self.spool.folder / "files").rglob("*") if path.is_file()]


def soon(is_so: Callable[[], bool]) -> bool:
    """Wait until something is so: the node's threads finish after the caller has its answer."""
    end = time.monotonic() + 10
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    return is_so()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Listening]:
    spool = Spool(tmp_path / "node")
    queue, counts = StudyQueue(spool.queue), Counts()
    told = Node(allow=("SENDER",), port=0)
    with Storage(told, spool, queue, counts).listening() as port:
        yield Listening(port, spool, queue, counts)


def test_a_file_that_dcmtk_sends_is_kept_as_it_was(node, tmp_path):
    sent = write_clip(tmp_path / "out")
    done = node.call("-xy", sent)  # proposes JPEG baseline
    assert done.returncode == 0, done.stderr
    (kept,) = node.files
    before, after = dcmread(sent), dcmread(kept)
    assert before == after
    assert after.file_meta.TransferSyntaxUID == JPEG
    assert kept.stat().st_mode & 0o077 == 0 or kept.parent.stat().st_mode & 0o077 == 0
    (study,) = node.queue.studies()
    assert (study.study, study.state, study.source) == (study_uid(1), "receiving", "SENDER")
    assert node.queue.files(study.study) == (kept.relative_to(node.spool.folder).as_posix(),)


def test_echo_is_answered(node):
    assert node.call(program="echoscu").returncode == 0


def test_who_is_not_allowed_or_calls_another_name_is_refused_and_that_is_logged(node):
    assert node.send(clip(), calling="STRANGER") is None
    assert node.send(clip(), called="ANY-SCP") is None
    assert node.files == []
    assert soon(lambda: [e.event for e in node.queue.events()] == ["refused", "refused"])
    assert node.counts.refused == {"association": 2}


def test_a_file_that_is_sent_twice_is_one(node):
    assert [node.send(clip()), node.send(clip())] == [SUCCESS, SUCCESS]
    assert len(node.files) == 1
    assert (node.counts.stored, node.counts.repeated) == (2, 1)
    (study,) = node.queue.studies()
    assert study.revision == 1


def test_a_full_disk_is_answered_so_that_the_sender_tries_again(node, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(node.spool, "keep", full)
        assert node.send(clip()) == NO_ROOM
    assert node.files == []
    assert node.queue.studies() == []
    assert node.send(clip()) == SUCCESS


def test_a_locked_queue_is_answered_so_and_nothing_is_acknowledged(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE", 0.2)
    spool = Spool(tmp_path / "node")
    queue = StudyQueue(spool.queue)
    with Storage(Node(allow=("*",), port=0), spool, queue, Counts()).listening() as port:
        node = Listening(port, spool, queue, Counts())
        other = sqlite3.connect(spool.queue, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert node.send(clip()) == NO_ROOM
        other.execute("ROLLBACK")
        assert node.send(clip()) == SUCCESS
    assert [one.revision for one in queue.studies()] == [1]


def test_what_names_no_study_is_refused(node):
    ds = clip()
    ds.StudyInstanceUID = ""
    assert node.send(ds) == CANNOT_UNDERSTAND
    del ds.StudyInstanceUID
    assert node.send(ds) == CANNOT_UNDERSTAND
    assert node.files == []


def test_an_instance_that_is_not_the_announced_one_is_refused(node, monkeypatch):
    other = clip(2)
    monkeypatch.setattr(
        "echokit_dicom.node.storage._uids", lambda _: (other.StudyInstanceUID, other.SOPInstanceUID)
    )
    assert node.send(clip()) == MISMATCH
    assert node.files == []


def test_a_sender_that_dies_in_the_middle_leaves_nothing(node):
    """The association is opened and a third of the data set sent; then the wire is cut."""
    entity = AE(ae_title="SENDER")
    entity.add_requested_context(UltrasoundMultiFrameImageStorage, [JPEG])
    association = entity.associate("127.0.0.1", node.port, ae_title="ECHOKIT")
    assert association.is_established
    wire = association.dul.socket.socket
    send, sent = wire.send, [0]

    def cut(data: bytes) -> int:
        sent[0] += len(data)
        if sent[0] > 100_000:
            wire.shutdown(socket.SHUT_RDWR)
            raise OSError("cut")
        return int(send(data))

    association.dul.socket.socket = _Wire(wire, cut)
    association.send_c_store(clip())
    association.abort()
    assert soon(lambda: list((node.spool.folder / "scratch").iterdir()) == [])
    assert node.files == []
    assert node.queue.studies() == []
    assert node.send(clip()) == SUCCESS


class _Wire:
    """A socket whose `send` is another."""

    def __init__(self, wire: socket.socket, send) -> None:
        self._wire, self.send = wire, send

    def __getattr__(self, name: str):
        return getattr(self._wire, name)


def test_no_name_stands_in_what_it_writes_but_the_files_themselves(node):
    assert node.send(clip()) == SUCCESS
    planted = [NAME.encode("latin-1"), NAME.encode(), b"MRN-1", b"Echo of a newborn"]
    for path in node.spool.folder.rglob("*"):
        if path.is_file() and path.suffix != ".dcm":
            data = path.read_bytes()
            assert not [word for word in planted if word in data], path
        assert "MRN" not in str(path)


def test_a_port_that_is_taken_is_a_sentence(node, tmp_path):
    told = Node(allow=("*",), port=node.port)
    storage = Storage(told, Spool(tmp_path / "other"), node.queue, Counts())
    with pytest.raises(UsageError, match=r"cannot be listened at .* another"), storage.listening():
        pass


def test_every_transfer_syntax_that_is_read_is_taken_and_no_other():
    taken = transfer_syntaxes()
    assert {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", JPEG} <= set(
        taken
    )
    assert "1.2.840.10008.1.2.5" in taken  # RLE
    assert "1.2.840.10008.1.2.4.90" in taken  # JPEG 2000
    assert "1.2.840.10008.1.2.4.102" not in taken  # H.264 in DICOM


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[tuple[Listening, dict[str, tuple[Path, Path]]]]:
    """A node that speaks TLS; certificates with keys: its own, a friend's and a stranger's."""
    made = {
        who: make_certificate(tmp_path / who, "127.0.0.1") for who in ("node", "friend", "stranger")
    }
    (certificate, key), (clients, _) = made["node"], made["friend"]
    spool = Spool(tmp_path / "folder")
    queue, counts = StudyQueue(spool.queue), Counts()
    tls = Tls(certificate=certificate, key=key, clients=clients)
    told = Node(allow=("SENDER",), port=0, tls=tls)
    with Storage(told, spool, queue, counts).listening() as port:
        yield Listening(port, spool, queue, counts), made


@pytest.mark.parametrize(("who", "trusts"), [("stranger", "node"), ("friend", "stranger")])
def test_a_wrong_certificate_of_either_side_ends_the_call(secret, tmp_path, who, trusts):
    node, made = secret
    sent = write_clip(tmp_path / "out")
    (certificate, key), (trusted, _) = made[who], made[trusts]
    assert node.call("+tls", key, certificate, "+cf", trusted, "-xy", sent).returncode != 0
    assert node.call("-xy", sent).returncode != 0  # plain DICOM
    assert node.files == []
    (certificate, key), (trusted, _) = made["friend"], made["node"]
    done = node.call("+tls", key, certificate, "+cf", trusted, "-xy", sent)
    assert done.returncode == 0, done.stderr
    assert len(node.files) == 1


def test_a_certificate_that_cannot_be_read_is_a_sentence(tmp_path, node):
    (tmp_path / "no.pem").write_text("Dear colleague")
    path = tmp_path / "no.pem"
    told = Node(allow=("*",), port=0, tls=Tls(certificate=path, key=path, clients=path))
    storage = Storage(told, Spool(tmp_path / "other"), node.queue, Counts())
    with pytest.raises(UsageError, match="are files in PEM"), storage.listening():
        pass
