"""`echokit serve` as a process: what it prints, what a kill leaves, whom it talks to."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from web_page import Page

from echokit import StudyQueue

DOCS = Path(__file__).parents[3] / "docs" / "page.md"
ROUNDS = 20 if os.environ.get("ECHOKIT_ATTACK") else 2
IDLE = """
import sys
from echokit_web import start, worker
worker.Worker.start = worker.Worker.stop = lambda self: None
start.add_demo = lambda site: None
from echokit.cli import main
main()
"""
"""`echokit`, but what is received is judged by nobody."""


@contextmanager
def serving(folder: Path, *words: str, trace: Path | None = None) -> Iterator[SimpleNamespace]:
    """A server in a process of its own."""
    command = [sys.executable, "-c", IDLE, "serve", "demo", "--port", "0", "--folder", str(folder)]
    if trace is not None:
        traced = ["strace", "-f", "-qq", "-e", "trace=connect", "-o", str(trace)]
        command = [*traced, *command]
    process = subprocess.Popen([*command, *words], stderr=subprocess.PIPE, text=True)
    lines: list[str] = []
    try:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"Open http://127\.0\.0\.1:(\d+)/enter\?token=\S{20,}", line):
                break
        else:
            raise AssertionError("".join(lines))
        token = (folder / "token").read_text()
        site = SimpleNamespace(folder=SimpleNamespace(token=lambda: token))
        page = Page(site, int(found[1]))  # type: ignore[arg-type]
        while True:
            try:
                page.ask("/enter")
                break
            except OSError:
                time.sleep(0.05)
        yield SimpleNamespace(process=process, page=page, lines=lines)
    finally:
        process.kill()
        lines += process.communicate()[1].splitlines()


def test_no_upload_that_was_acknowledged_is_lost_by_a_kill(tmp_path):
    rng = random.Random(1)
    acknowledged: set[str] = set()
    for _ in range(ROUNDS):
        with serving(tmp_path / "page") as served:

            def send(page: Page = served.page) -> None:
                while True:
                    try:
                        answer = page.send({"a.npz": rng.randbytes(200_000), "b.dcm": b"x" * 999})
                    except OSError:
                        return
                    acknowledged.add(answer.json["study"])

            threads = [threading.Thread(target=send) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.4, 1.2))
            served.process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
    assert acknowledged
    queue = StudyQueue(tmp_path / "page" / "queue.sqlite")
    for study in acknowledged:
        assert queue.find(study).state == "waiting"
        files = queue.files(study)
        assert [(tmp_path / "page" / file).stat().st_size for file in files] == [200_000, 999]
    queue.close()


def test_the_client_of_the_docs_sends_a_study_and_prints_its_result(page, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text("utf-8"), re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 22
    (tmp_path / "client.py").write_text(code)
    clip = sorted((page.site.folder.source("demo") / "demo").iterdir())[0]
    words = [str(page.site.folder.path), str(page.port), str(clip)]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "client.py"), *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"none|mild|moderate|view", done.stdout), done.stdout


@pytest.mark.skipif(not shutil.which("strace") and not os.environ.get("CI"), reason="no strace")
def test_the_server_connects_to_nobody_and_names_nobody_in_its_log(tmp_path):
    trace = tmp_path / "trace"
    with serving(tmp_path / "page", trace=trace) as served:
        assert served.page.send({"Mustermann_Max.mp4": b"x"}).status == 201
        served.page.ask("/")
        served.page.ask("/api/studies/nothing/Mustermann")
        subprocess.run(["pkill", "-TERM", "-P", str(served.process.pid)], check=False)
        served.process.wait(20)
    calls = trace.read_text()
    assert not re.findall(r"sin_addr=inet_addr\(\"(?!127\.)[^\"]+", calls)
    assert "sin6_addr" not in calls
    assert "Mustermann" not in "".join(served.lines)
    held = b"".join(p.read_bytes() for p in (tmp_path / "page").glob("queue.sqlite*"))
    assert b"Mustermann" not in held


def test_an_address_that_is_none_is_refused_before_anything_is_made(echokit, tmp_path):
    words = ("serve", "demo", "--folder", tmp_path / "page")
    done = echokit(*words, "--behind-proxy", "echo.example", "--port", "0")
    assert (done.returncode, "https://echo.hospital.example" in done.stderr) == (2, True)
    done = echokit(*words, "--send", "nonsense")
    assert done.returncode == 2
    assert not (tmp_path / "page").exists()
    done = echokit("watch", tmp_path)
    assert (done.returncode, "recipe.toml" in done.stderr) == (2, True)
