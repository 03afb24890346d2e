"""Clips prepared once, refused ones named, the next one read meanwhile."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from stored_clips import clip, same

from echokit import Clip, ClipError, ClipRef
from echokit.clips.preparation import Preparation, prepare, signature, too_short
from echokit.clips.store import Store

AS_IT_IS = Preparation((), "nothing")


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
            lambda c, rng: replace(c, frames=c.frames[:, ::2, ::2], sector=c.sector[::2, ::2]),
            lambda c, rng: replace(c, frames=255 - c.frames),
        ),
        "sector, then more",
    )
    bare = Clip(frames=clip().frames)
    shown = found.masked(bare)
    assert shown.sector is not None
    assert shown.frames.shape == bare.frames.shape
    assert not shown.frames[:, ~shown.sector].any()


def test_masked_has_the_frames_of_the_prepared_clip_where_a_later_step_leaves_some_out():
    bare = Clip(frames=clip().frames, fps=50.0)
    steps = (
        lambda c, rng: replace(c, sector=np.ones(c.frames.shape[1:], bool)),
        lambda c, rng: replace(c, frames=c.frames[:, ::2, ::2]),
        lambda c, rng: replace(c, frames=c.frames[::2], fps=25.0),
    )
    shown = Preparation(steps, "sector, size, frame rate").masked(bare)
    assert shown.fps == 25.0
    assert np.array_equal(shown.frames, bare.frames[::2])


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


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"fps": np.inf}, "its frame rate is inf per second"),
        ({"fps": np.nan}, "its frame rate is nan per second"),
        ({"fps": 1e-297}, "its frame rate is 1e-297 per second"),
        ({"spacing": (0.3, 0.0)}, "its pixels are 0.3 x 0 mm"),
        ({"spacing": (np.nan, 0.3)}, "its pixels are nan x 0.3 mm"),
    ],
)
def test_numbers_that_no_picture_can_be_drawn_with_are_refused(changed, reason):
    with pytest.raises(ClipError, match=reason):
        AS_IT_IS(replace(clip(), **changed))
