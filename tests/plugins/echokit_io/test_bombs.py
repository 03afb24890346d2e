"""Small files that would cost gigabytes or hours: each refused by name, soon and in little memory.

Measured in another process. The limits are a fifth of the usual ones, so that the tests are fast.
"""

import os

import numpy as np
import pytest
from bombs import BOMBS, FRAMES, npy
from measured import Reader

from echokit import ClipRef, DataError, OptionError, Rejection, resolve

LIMITS = {"memory": 100, "rows": 20_000, "pixels": 10_000_000}
MB, SECONDS = 250, 5.0


@pytest.fixture(scope="module")
def reader():
    made = Reader()
    yield made
    made.close()


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_by_name(name, reader, tmp_path):
    file, make = BOMBS[name]
    source = make(tmp_path / file)
    loader = "newborn-sheet" if name.startswith("xlsx") else "files"
    found = reader(source, loader, LIMITS)
    assert found["error"].startswith("refused: ") or (not found["error"] and found["reasons"])
    assert found["clips"] == 0
    assert found["mb"] < MB
    assert found["seconds"] < SECONDS
    for reason in found["reasons"][:2]:
        assert len(reason) < 500


@pytest.mark.parametrize("name", ["MPEG-4 in Matroska"])
def test_the_usual_limits_hold_too(name, reader, tmp_path):
    file, make = BOMBS[name]
    found = reader(make(tmp_path / file))
    assert "limits.memory" in found["reasons"][0]
    assert found["mb"] < 1000
    assert found["seconds"] < 10


def test_limits_can_be_raised(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(np.zeros((2, 600, 600), np.uint8))[0])
    path = str(tmp_path / "a.npy")
    (refused,) = resolve("loader", "files", source=path, limits={"memory": 0.5}).index()
    (clip,) = resolve("loader", "files", source=path, limits={"memory": 1}).index()
    assert isinstance(refused, Rejection)
    assert "takes 1 MB" in refused.reason
    assert isinstance(clip, ClipRef)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"memroy": 5}, "write memory, pixels, frames, rows, unpacked, seconds"),
        ({"memory": 0}, "above 0"),
        ({"seconds": float("inf")}, "above 0"),
        ({"rows": True}, "above 0"),
        ({"frames": "many"}, "above 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits, reason, tmp_path):
    for loader in ("files", "newborn-sheet"):
        with pytest.raises(OptionError, match=reason):
            resolve("loader", loader, source=str(tmp_path), limits=limits)


def test_time_that_is_over_is_a_reason(tmp_path, monkeypatch):
    import echokit_io.budget

    (tmp_path / "a.npy").write_bytes(npy(FRAMES)[0])
    loader = resolve("loader", "files", source=str(tmp_path))
    (ref,) = loader.index()
    moments = iter(range(0, 10_000, 100))
    monkeypatch.setattr(echokit_io.budget.time, "monotonic", lambda: next(moments))
    monkeypatch.setattr(echokit_io.budget.time, "process_time", lambda: next(moments))
    with pytest.raises(DataError, match=r"limits\.seconds"):
        loader.read(ref)


def test_one_file_whose_read_fails_is_one_rejection(tmp_path):
    (tmp_path / "a.npy").write_bytes(npy(FRAMES)[0])
    (tmp_path / "b.npy").symlink_to("/proc/self/mem")  # regular, but its first bytes cannot be read
    first, second = resolve("loader", "files", source=str(tmp_path)).index()
    assert isinstance(first, ClipRef)
    assert isinstance(second, Rejection)
    assert "cannot be read: Input/output error" in second.reason


@pytest.mark.parametrize("kind", ["FIFO", "device"])
def test_only_a_regular_file_is_a_table(kind, tmp_path):
    path = tmp_path / "list.csv"
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(DataError, match=f"cannot be read: it is a {kind}, not a regular file"):
        list(resolve("loader", "files", source=str(path)).index())
    with pytest.raises(DataError, match=r"There is no \.xlsx or \.csv sheet"):
        resolve("loader", "newborn-sheet", source=str(tmp_path), sheet="list.csv")
