"""The store of prepared clips: there whole or not at all, made once, given back unchanged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from stored_clips import clip, same

from echokit import Clip, DamagedError
from echokit.clips import store as stores
from echokit.clips.store import CHUNK, SHARD, Store


@pytest.mark.parametrize("frames", [1, CHUNK - 1, CHUNK + 1, SHARD, SHARD + 5])
def test_a_clip_comes_back_bit_for_bit_with_all_that_is_known_of_it(tmp_path, frames):
    Store(tmp_path / "store").put("key", clip(frames))
    back = Store(tmp_path / "store").clip("key")
    assert same(back, clip(frames))
    assert Store(tmp_path / "store").length("key") == frames


@pytest.mark.parametrize("frames", [1, SHARD, 2 * SHARD + 5])
def test_all_frames_are_read_some_at_a_time(tmp_path, frames):
    store, whole = Store(tmp_path), clip(frames)
    store.put("key", whole)
    assert store.shape("key") == whole.frames.shape
    blocks = list(store.blocks("key"))
    assert max(map(len, blocks)) <= SHARD
    assert np.array_equal(np.concatenate(blocks), whole.frames)


def test_a_clip_of_which_nothing_is_known_comes_back_too(tmp_path):
    bare = Clip(frames=clip().frames)
    Store(tmp_path).put("key", bare)
    back = Store(tmp_path).clip("key")
    assert np.array_equal(back.frames, bare.frames)
    assert replace(back, frames=bare.frames) == bare
    assert Store(tmp_path).sector("key") is None


@pytest.mark.parametrize("small", [0, 2**20])
@pytest.mark.parametrize(("start", "k"), [(0, 1), (0, 12), (10, 12), (28, 12), (39, 1)])
def test_only_the_frames_that_are_asked_for_are_given(tmp_path, monkeypatch, small, start, k):
    monkeypatch.setattr(stores, "SMALL", small)
    store, whole = Store(tmp_path), clip(40)
    store.put("key", whole)
    stop = start + k
    assert np.array_equal(store.window("key", start, k), whole.frames[start:stop])
    part = replace(whole, frames=whole.frames[start:stop], structures=whole.structures[start:stop])
    assert same(store.clip("key", start, k), part)


def test_only_the_chunks_of_a_window_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(stores, "SMALL", 0)
    """Of a shard's chunks those after the second cannot be decoded: a window of two is given."""
    store, whole = Store(tmp_path), clip(SHARD)
    store.put("key", whole)
    shard = tmp_path / "key" / "frames" / "c" / "0" / "0" / "0"
    data, chunks = bytearray(shard.read_bytes()), SHARD // CHUNK
    index = 16 * chunks + 4  # the sharding codec's: offset and size of each chunk, and a checksum
    size = (len(data) - index) // chunks  # noise does not shrink: all chunks are alike
    data[2 * size : -index] = bytes(len(data) - index - 2 * size)
    shard.write_bytes(data)
    (tmp_path / "key" / "digests.json").unlink()  # else the clip is refused whole
    store = Store(tmp_path)
    assert np.array_equal(store.window("key", 10, 12), whole.frames[10:22])
    with pytest.raises(DamagedError, match="Zstd"):
        store.window("key", 22, 12)


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


def test_a_small_clip_is_decoded_once_and_its_windows_are_copies(tmp_path, monkeypatch):
    store, whole, reads = Store(tmp_path), clip(40), []
    store.put("key", whole)
    movie = Store._movie
    monkeypatch.setattr(
        Store, "_movie", lambda self, *place: reads.append(place) or movie(self, *place)
    )
    store.window("key", 3, 12)[:] = 0
    assert np.array_equal(store.window("key", 3, 12), whole.frames[3:15])
    assert len(reads) == 1


def test_no_more_small_clips_are_kept_than_fit(tmp_path, monkeypatch):
    store, size = Store(tmp_path), clip(40).frames.nbytes
    monkeypatch.setattr(stores, "KEPT", 2 * size)
    for key in "abcd":
        store.put(key, clip(40))
        assert np.array_equal(store.window(key, 0, 5), clip(40).frames[:5])
    assert list(store._kept) == ["c", "d"]
    assert store._kept_bytes == 2 * size


def damage(folder, kind):
    shard = folder / "frames" / "c" / "0" / "0" / "0"
    if kind == "missing":
        shard.unlink()
    elif kind == "group":
        (folder / "zarr.json").write_text("{")
    elif kind == "digests":
        (folder / "digests.json").write_text("{")
    else:
        content = bytearray(shard.read_bytes())
        content[len(content) // 3] ^= 1
        kept = {"flip": len(content), "half": len(content) // 2, "empty": 0}[kind]
        shard.write_bytes(content[:kept])


KINDS = ("missing", "flip", "half", "empty", "group", "digests")


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_clip_is_refused_by_name_and_not_read(tmp_path, kind):
    Store(tmp_path).put("key", clip(40))
    assert Store(tmp_path).problem("key") == ""
    damage(tmp_path / "key", kind)
    for use in (
        lambda store: store.window("key", 3, 12),
        lambda store: store.clip("key"),
        lambda store: store.length("key"),
        lambda store: store.sector("key"),
    ):
        with pytest.raises(DamagedError, match=f"prepared clip {tmp_path}/key is damaged: .* run"):
            use(Store(tmp_path))


@pytest.mark.parametrize("kind", ["missing", "group"])
def test_of_a_clip_without_digests_what_is_missing_is_noticed(tmp_path, kind):
    Store(tmp_path).put("key", clip(40))
    (tmp_path / "key" / "digests.json").unlink()
    assert same(Store(tmp_path).clip("key"), clip(40)), "as earlier versions stored it"
    damage(tmp_path / "key", kind)
    with pytest.raises(DamagedError, match="prepared clip"):
        Store(tmp_path).clip("key")


def test_a_clip_that_goes_while_it_is_used_is_said_to_be_gone(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(DamagedError, match="it is missing"):
        store.length("key")
    store.put("key", clip(40))
    store.length("key")
    store.discard("key")
    with pytest.raises(DamagedError, match="it is missing"):
        store.length("key")
