"""The store of prepared clips: there whole or not at all, made once, given back unchanged."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from echokit import Box, Clip, ClipError, ClipRef
from echokit.clips.preparation import Preparation, prepare, signature, too_short
from echokit.clips.store import CHUNK, SHARD, Store

AS_IT_IS = Preparation((), "nothing")


def clip(frames: int = 20, seed: int = 0) -> Clip:
    rng = np.random.default_rng(seed)
    return Clip(
        frames=rng.integers(0, 256, (frames, 9, 13), dtype=np.uint8),
        fps=29.97,
        spacing=(0.31, 0.27),
        sector=rng.random((9, 13)) < 0.6,
        structures=rng.integers(0, 3, (frames, 9, 13), dtype=np.uint8),
        structure_names=("septum", "left ventricle"),
        box=Box(3, 5, 90, 130),
    )


def same(a: Clip, b: Clip) -> bool:
    arrays = all(
        np.array_equal(getattr(a, name), getattr(b, name)) and getattr(a, name).dtype == dtype
        for name, dtype in (("frames", np.uint8), ("sector", bool), ("structures", np.uint8))
    )
    others = ("fps", "spacing", "box", "structure_names")
    return arrays and all(getattr(a, name) == getattr(b, name) for name in others)


class Loader:
    """Clips by name; counts what is read; refuses those called bad."""

    def __init__(self, *, fingerprints: bool = True) -> None:
        self.reads: Counter[str] = Counter()
        self.content: dict[str, int] = {}
        if fingerprints:
            self.fingerprint = lambda ref: f"{ref.clip} {self.content.get(ref.clip, 0)}"

    def index(self):
        return []

    def read(self, ref: ClipRef) -> Clip:
        self.reads[ref.clip] += 1
        if ref.clip.startswith("bad"):
            raise ClipError("it cannot be decoded")
        return clip(seed=self.content.get(ref.clip, len(ref.clip)))


def refs(*names: str) -> list[ClipRef]:
    return [ClipRef(name, "p", "A4C") for name in names]


@pytest.mark.parametrize("frames", [1, CHUNK - 1, CHUNK + 1, SHARD, SHARD + 5])
def test_a_clip_comes_back_bit_for_bit_with_all_that_is_known_of_it(tmp_path, frames):
    Store(tmp_path / "store").put("key", clip(frames))
    back = Store(tmp_path / "store").clip("key")
    assert same(back, clip(frames))
    assert Store(tmp_path / "store").length("key") == frames


def test_a_clip_of_which_nothing_is_known_comes_back_too(tmp_path):
    bare = Clip(frames=clip().frames)
    Store(tmp_path).put("key", bare)
    back = Store(tmp_path).clip("key")
    assert np.array_equal(back.frames, bare.frames)
    assert replace(back, frames=bare.frames) == bare
    assert Store(tmp_path).sector("key") is None


@pytest.mark.parametrize(("start", "k"), [(0, 1), (0, 12), (10, 12), (28, 12), (39, 1)])
def test_only_the_frames_that_are_asked_for_are_given(tmp_path, start, k):
    store, whole = Store(tmp_path), clip(40)
    store.put("key", whole)
    stop = start + k
    assert np.array_equal(store.window("key", start, k), whole.frames[start:stop])
    part = replace(whole, frames=whole.frames[start:stop], structures=whole.structures[start:stop])
    assert same(store.clip("key", start, k), part)


def test_only_the_chunks_of_a_window_are_read(tmp_path):
    """Of a shard's chunks those after the second cannot be decoded: a window of two is given."""
    store, whole = Store(tmp_path), clip(SHARD)
    store.put("key", whole)
    shard = tmp_path / "key" / "frames" / "c" / "0" / "0" / "0"
    data, chunks = bytearray(shard.read_bytes()), SHARD // CHUNK
    index = 16 * chunks + 4  # the sharding codec's: offset and size of each chunk, and a checksum
    size = (len(data) - index) // chunks  # noise does not shrink: all chunks are alike
    data[2 * size : -index] = bytes(len(data) - index - 2 * size)
    shard.write_bytes(data)
    assert np.array_equal(store.window("key", 10, 12), whole.frames[10:22])
    with pytest.raises(RuntimeError, match="Zstd"):
        store.window("key", 22, 12)


def test_the_key_follows_content_steps_versions_and_options(tmp_path):
    store, loader, (ref,) = Store(tmp_path), Loader(), refs("a")
    usual = [("io:x/resize", "1.0", {"size": 64}), ("io:x/crop", "1.0", {})]
    others = [
        [],
        usual[:1],
        usual[::-1],
        [("io:y/resize", "1.0", {"size": 64}), usual[1]],
        [("io:x/resize", "1.1", {"size": 64}), usual[1]],
        [("io:x/resize", "1.0", {"size": 65}), usual[1]],
    ]
    key = store.key(loader, ref, signature(usual))
    assert key == store.key(loader, ref, signature(list(usual)))
    different = {store.key(loader, ref, signature(steps)) for steps in others}
    loader.content["a"] = 5
    different.add(store.key(loader, ref, signature(usual)))
    assert key not in different
    assert len(different) == len(others) + 1


@pytest.mark.parametrize("fingerprints", [True, False])
def test_the_same_content_is_prepared_once(tmp_path, fingerprints):
    loader, made = Loader(fingerprints=fingerprints), []
    count = Preparation((lambda clip, rng: made.append(1) or clip,), "counted")
    first = list(prepare(loader, refs("a", "bb"), count, Store(tmp_path)))
    loader.reads.clear()
    again = list(prepare(loader, refs("a", "bb"), count, Store(tmp_path)))
    assert first == again
    assert len(made) == 2
    if fingerprints:
        assert not loader.reads, "nothing is read where a fingerprint tells the content"


def test_changed_content_is_prepared_again(tmp_path):
    loader, store = Loader(), Store(tmp_path)
    [(_, before)] = prepare(loader, refs("a"), AS_IT_IS, store)
    loader.content["a"] = 7
    [(_, after)] = prepare(loader, refs("a"), AS_IT_IS, store)
    assert before != after
    assert same(store.clip(after), clip(seed=7))


def test_a_refused_clip_yields_its_reason_and_the_rest_go_on(tmp_path):
    store = Store(tmp_path)
    (_, a), (ref, error), (_, c) = prepare(Loader(), refs("a", "bad", "ccc"), AS_IT_IS, store)
    assert (ref.clip, str(error)) == ("bad", "it cannot be decoded")
    assert isinstance(error, ClipError)
    assert a in store
    assert c in store


@pytest.mark.parametrize(
    "frames", [np.ones((4, 9, 13)), np.ones((9, 13), "u1"), np.ones((0, 9, 13), "u1")]
)
def test_a_step_that_makes_what_cannot_be_stored_refuses_the_clip(tmp_path, frames):
    wrong = Preparation((lambda clip, rng: SimpleNamespace(frames=frames),), "wrong")
    [(_, error)] = prepare(Loader(), refs("a"), wrong, Store(tmp_path))
    assert isinstance(error, ClipError)
    assert "uint8 (T, H, W) can be stored" in str(error)


class Killed(BaseException):
    """As a signal would end the process."""


def test_a_writer_that_is_killed_before_the_rename_leaves_no_clip(tmp_path, monkeypatch):
    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.rename", kill)
        with pytest.raises(Killed):
            Store(tmp_path).put("key", clip())
    assert "key" not in Store(tmp_path)
    Store(tmp_path).put("key", clip(seed=1))
    assert same(Store(tmp_path).clip("key"), clip(seed=1))


def test_a_clip_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zarr.Group.create_array", full)
    with pytest.raises(OSError, match="No space"):
        Store(tmp_path).put("key", clip())
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_the_second_finds_the_clip_there(tmp_path, monkeypatch):
    Store(tmp_path).put("key", clip())
    monkeypatch.setattr("os.getpid", lambda: 99999)
    Store(tmp_path).put("key", clip())
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert same(Store(tmp_path).clip("key"), clip())


def test_a_rename_that_fails_for_another_reason_is_not_hidden(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.rename", full)
    with pytest.raises(OSError, match="No space"):
        Store(tmp_path).put("key", clip())


def test_a_store_that_vanished_is_filled_again(tmp_path):
    loader, path = Loader(), tmp_path / "store"
    [(_, key)] = prepare(loader, refs("a"), AS_IT_IS, Store(path))
    shutil.rmtree(path)
    assert [(r.clip, k) for r, k in prepare(loader, refs("a"), AS_IT_IS, Store(path))] == [
        ("a", key)
    ]
    assert key in Store(path)


@pytest.mark.parametrize(("k", "reason"), [(20, ""), (21, "it has 20 frames; a sequence needs 21")])
def test_a_clip_shorter_than_a_sequence_says_so(tmp_path, k, reason):
    Store(tmp_path).put("key", clip(20))
    assert too_short(Store(tmp_path), "key", k) == reason


def test_masked_shows_source_pixels_with_the_sector_found_but_goes_no_further(tmp_path):
    found = Preparation(
        (
            lambda c, rng: replace(
                c, sector=c.frames[0] > 99, frames=c.frames * (c.frames[0] > 99)
            ),
            lambda c, rng: pytest.fail("a step after the sector was taken"),
        ),
        "sector, then more",
    )
    bare = Clip(frames=clip().frames)
    shown = found.masked(bare)
    assert shown.sector is not None
    assert not shown.frames[:, ~shown.sector].any()


def test_a_movie_that_changes_little_from_frame_to_frame_takes_little_room(tmp_path):
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (64, 64), dtype=np.uint8)
    frames = still + rng.integers(0, 4, (2 * CHUNK + 3, 64, 64), dtype=np.uint8)
    Store(tmp_path).put("k", Clip(frames=frames))
    size = sum(path.stat().st_size for path in (tmp_path / "k").rglob("*") if path.is_file())
    assert size < 0.5 * frames.size
    assert np.array_equal(
        Store(tmp_path).window("k", CHUNK + 1, CHUNK), frames[CHUNK + 1 :][:CHUNK]
    )


def test_the_next_clip_is_read_while_one_is_prepared(tmp_path):
    loader, seen = Loader(), []

    def wait(clip, rng):
        for _ in range(100):
            if len(loader.reads) > len(seen) + 1:  # of the last clip, in vain
                break
            time.sleep(0.01)
        seen.append(len(loader.reads))
        return clip

    list(prepare(loader, refs("a", "b", "c"), Preparation((wait,), ""), Store(tmp_path)))
    assert seen[0] == 2, "the second clip was there before the first was done with"


def test_clips_of_the_content_of_a_refused_one_are_refused_too(tmp_path):
    def refuse(clip, rng):
        raise ClipError("no sector")

    loader = Loader()
    loader.content = {"a": 1, "b": 1}
    loader.fingerprint = lambda ref: "the same"
    found = prepare(loader, refs("a", "b"), Preparation((refuse,), ""), Store(tmp_path))
    assert [str(error) for _, error in found] == ["no sector"] * 2
