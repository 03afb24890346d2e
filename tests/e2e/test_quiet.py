"""Nothing leaves the machine: without a network all works, and nothing so much as tries to connect.

Every process of a command is traced while it runs in a network namespace of its own, which holds
loopback alone.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from echokit.engines.choose import ENGINES

TOOLS = ("strace", "unshare", "ip")
ONE = ("--patients", "1", "--size", "96", "--frames", "16")
LOCAL = re.compile(r"AF_UNIX|AF_NETLINK|AF_UNSPEC")


@pytest.fixture
def alone(tmp_path):
    """Run a command where there is no network; return it, and what it tried to reach."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        missing.append("root's rights")
    if missing and not os.environ.get("CI"):
        pytest.skip(f"tracing without a network takes {', '.join(missing)}")

    def call(*words: str | Path) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        trace = tmp_path / "trace"
        command = [
            *("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"),
            *("strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace)),
            *(sys.executable, "-m", "echokit", *map(str, words)),
        ]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=600,
            env=os.environ | {"COLUMNS": "200"},
        )
        calls = [line for line in trace.read_text("utf-8").splitlines() if "AF_" in line]
        return done, [line for line in calls if not LOCAL.search(line)]

    return call


def test_an_attempt_would_be_seen(alone, tmp_path):
    """The tracer itself: a plugin that calls home is caught at it."""
    (tmp_path / "echokit_caller.py").write_text(
        "import socket\n"
        "from echokit import hookimpl\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect_ex(('192.0.2.1', 9))\n"
        "@hookimpl\n"
        "def register_backbones(register):\n"
        "    pass\n"
    )
    info = tmp_path / "echokit_caller-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: echokit-caller\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[echokit]\ncaller = echokit_caller\n")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{before}"
    try:
        done, tried = alone("plugins", "list")
    finally:
        os.environ["PYTHONPATH"] = before
    assert done.returncode == 0, done.stderr
    assert any("192.0.2.1" in line for line in tried)


@pytest.mark.parametrize("engine", ["torch", *(engine.name for engine in ENGINES)])
def test_a_study_is_predicted_by_every_engine_without_a_network(alone, small_run, tmp_path, engine):
    study, out, run = tmp_path / "study", tmp_path / "prediction", tmp_path / "run"
    shutil.copytree(small_run, run)  # converted networks are kept beside it
    made = subprocess.run(
        [sys.executable, "-m", "echokit", "data", "phantom", "--out", str(study), *ONE],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    done, tried = alone("predict", run, study, "--engine", engine, "--out", out, "--quiet")
    assert done.returncode == 0, done.stderr
    assert (out / "index.html").is_file()
    assert engine in (out / "prediction.json").read_text("utf-8")
    assert tried == []
