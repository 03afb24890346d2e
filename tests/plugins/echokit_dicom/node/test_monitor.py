"""Metrics, read by Prometheus's own parser, and the call that a study is complete."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from echokit import StudyQueue, UsageError
from echokit_dicom.node.monitor import Monitor
from echokit_dicom.node.storage import Counts


@pytest.fixture
def monitor(tmp_path):
    queue = StudyQueue(tmp_path / "queue")
    counts = Counts(stored=7)
    counts.refuse("association")
    queue.receive("1.2", "1.2.1", "f", "d")
    return Monitor(queue, counts, "secret")


def ask(port: int, path: str, method: str = "GET", token: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_are_what_the_queue_and_the_storage_say(monitor):
    monitor.timed("predict", 0.2)
    with monitor.listening(0) as port:
        status, text = ask(port, "/metrics")
        assert ask(port, "/other")[0] == 404
    assert status == 200
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["echokit_studies", "receiving"] == 1
    assert samples["echokit_studies", "done"] == 0
    assert samples["echokit_files_stored_total",] == 7
    assert samples["echokit_refused_total", "association"] == 1
    assert samples["echokit_stage_seconds_count", "predict"] == 1
    assert samples["echokit_stage_seconds_bucket", "0.3", "predict"] == 1
    assert samples["echokit_stage_seconds_bucket", "0.1", "predict"] == 0


def test_a_study_is_called_complete_by_who_has_the_token(monitor):
    with monitor.listening(0) as port:
        assert ask(port, "/studies/1.2/complete", "POST")[0] == 401
        assert ask(port, "/studies/1.2/complete", "POST", "wrong")[0] == 401
        assert monitor.queue.counts()["receiving"] == 1
        assert ask(port, "/studies/9.9/complete", "POST", "secret")[0] == 404
        assert ask(port, "/studies/../complete", "POST", "secret")[0] == 404
        assert ask(port, "/studies/1.2/complete", "POST", "secret")[0] == 200
        assert monitor.queue.counts()["waiting"] == 1
        assert ask(port, "/studies/1.2/complete", "POST", "secret")[0] == 404


def test_it_listens_at_loopback_alone_and_a_taken_port_is_a_sentence(monitor):
    with monitor.listening(0) as port:
        taken = pytest.raises(UsageError, match=f"127.0.0.1:{port} cannot be listened at")
        with taken, monitor.listening(port):
            pass
