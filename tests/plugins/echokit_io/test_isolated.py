"""Files read in another process: the same clips, and a death that is one rejection."""

import os
import pickle
import signal

import numpy as np
import pytest
from bombs import FRAMES, npy

from echokit import ClipError, ClipRef, Rejection, resolve


@pytest.fixture
def made():
    loaders = []

    def make(path, **options):
        loaders.append(resolve("loader", "files", source=str(path), isolate=True, **options))
        return loaders[-1]

    yield make
    for loader in loaders:
        loader._isolated.close()


def test_clips_are_the_same_and_reasons_too(made, tmp_path):
    beside = {"fps": 25.0, "spacing": [0.3, 0.4], "structures": FRAMES // 200, "names": ["RV"]}
    np.savez(tmp_path / "a.npz", frames=FRAMES, synthetic=True, **beside)
    (tmp_path / "b.npy").write_bytes(npy(FRAMES)[0][:-9])
    (tmp_path / "c.npy").write_bytes(npy(FRAMES[:1])[0])
    ours, theirs = made(tmp_path), resolve("loader", "files", source=str(tmp_path))
    assert list(ours.index()) == list(theirs.index())
    refs = [item for item in ours.index() if isinstance(item, ClipRef)]
    clip, wanted = ours.read(refs[0]), theirs.read(refs[0])
    assert (clip.frames == wanted.frames).all()
    assert (clip.structures == wanted.structures).all()
    for name in ("fps", "spacing", "region", "structure_names"):
        assert getattr(clip, name) == getattr(wanted, name)
    with pytest.raises(ClipError, match="2 of its 3 frames"):
        ours.read(refs[1])


def test_a_process_that_dies_is_one_rejection(made, tmp_path, monkeypatch):
    for name in ("a.npy", "b.npy"):
        (tmp_path / name).write_bytes(npy(FRAMES)[0])
    loader = made(tmp_path)
    isolated, asked = loader._isolated, []
    wait = isolated._wait

    def die(answers):
        asked.append(answers)
        if len(asked) == 1:
            os.kill(isolated._process.pid, signal.SIGSEGV)
            isolated._process.wait()
        wait(answers)

    monkeypatch.setattr(isolated, "_wait", die)
    first, second = loader.index()
    assert isinstance(first, Rejection)
    assert "ended that process (SIGSEGV)" in first.reason
    assert isinstance(second, ClipRef)
    assert len(loader.read(second).frames) == 3


def test_it_can_be_sent_to_another_process(made, tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(FRAMES)[0])
    loader = made(tmp_path)
    (ref,) = loader.index()
    sent = pickle.loads(pickle.dumps(loader))
    try:
        assert len(sent.read(ref).frames) == 3
    finally:
        sent._isolated.close()
