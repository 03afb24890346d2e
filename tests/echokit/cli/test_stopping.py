"""SIGTERM and SIGHUP end a command as Ctrl-C does; a full disk ends it in a sentence."""

import signal
import subprocess
import sys

import pytest

CODE = """
import sys, time
from pathlib import Path
import echokit.cli as cli
from echokit.system.files import whole_folder

def app():
    with whole_folder(Path(sys.argv[1]) / "out") as partial:
        (partial / "pixels").touch()
        print("begun", flush=True)
        time.sleep(60)

cli.app = app
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_with_its_number_and_nothing_left(tmp_path, number):
    with subprocess.Popen(
        [sys.executable, "-c", CODE, tmp_path],
        stdout=subprocess.PIPE,
        # tests that outlive their terminal are deaf to SIGHUP, and so would the child be
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as child:
        assert child.stdout.readline() == b"begun\n"
        assert len(list(tmp_path.iterdir())) == 1
        child.send_signal(number)
        assert child.wait(30) == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    code = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + CODE
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"begun\n"
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 128 + signal.SIGTERM


FULL = """
import resource, signal, sys
from pathlib import Path
import echokit.cli as cli

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

def text(path):
    from echokit.system.files import write_text
    write_text(path, "x" * 9999)

def tensors(path):
    import torch
    from echokit.networks.checkpoint import save_tensors
    save_tensors(path, {"a": torch.zeros(9999)})

def table(path):
    import numpy as np, pandas as pd
    from echokit.voting.table import PredictionTable
    PredictionTable(pd.DataFrame({"a": np.random.default_rng(0).random(9999)})).write(path)

def clip(path):
    import numpy as np
    from echokit import Clip
    from echokit.clips.store import Store
    frames = np.random.default_rng(0).integers(0, 256, (16, 64, 64), dtype=np.uint8)
    Store(path).put("key", Clip(frames))

cli.app = lambda: globals()[sys.argv[1]](Path(sys.argv[2]) / "file")
cli.main()
"""


@pytest.mark.parametrize("writer", ["text", "tensors", "table", "clip"])
def test_a_file_too_large_for_the_disk_is_refused_in_a_sentence(tmp_path, writer):
    done = subprocess.run(
        [sys.executable, "-c", FULL, writer, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"error: {tmp_path}/file")
    assert "File too large. Raise the limit on the size of files" in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
