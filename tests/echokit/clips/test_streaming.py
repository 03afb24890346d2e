"""Long clips are prepared block by block: the same bytes, in the memory of a short clip."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import long_video
import numpy as np
import pytest
from stored_clips import clip

import echokit_io.video_stream
from echokit import Box, Clip, ClipError, ClipRef, ClipStream, resolve
from echokit.clips.check import check_files, pixel_digest
from echokit.clips.preparation import Preparation, prepare
from echokit.clips.store import CHUNK, SHARD, Store
from echokit.clips.streaming import open_stream
from echokit_ultrasound import frame_rate

REF = ClipRef("a", "p", "A4C")


@dataclass
class Blocks:
    """A loader of one clip in memory, handed out some frames at a time."""

    whole: Clip
    size: int = 7
    missing: int = 0
    """Frames by which the clip is shorter when it is read again."""
    reads: int = 0

    def index(self):
        return [REF]

    def read(self, ref):
        self.reads += 1
        return self.whole

    def fingerprint(self, ref):
        return "the clip"

    def stream(self, ref, needed):
        frames = self.whole.frames
        few = replace(self.whole, frames=frames[list(needed(len(frames)))], structures=None)

        def blocks():
            for start in range(0, len(frames) - self.missing, self.size):
                yield frames[start : min(start + self.size, len(frames) - self.missing)]

        return ClipStream(few, len(frames), blocks)


@dataclass(frozen=True)
class Brightest:
    """Finds a sector by the last frame; makes all others darker by the first."""

    def __call__(self, clip, rng):
        return self.settle(replace(clip, frames=clip.frames[[0, -1]]), len(clip.frames))(clip, rng)

    def needed(self, length):
        return [0, length - 1]

    def settle(self, few, length):
        sector, darker = few.frames[1] > 99, few.frames[0] // 2
        box = Box(1, 2, *sector.shape)
        return lambda clip, rng: replace(
            clip, frames=(clip.frames - darker) * sector, sector=sector, box=box
        )


@dataclass(frozen=True)
class Inverted:
    def __call__(self, clip, rng):
        return replace(clip, frames=255 - clip.frames)

    def needed(self, length):
        return []

    def settle(self, few, length):
        return self


STEPS = Preparation((Inverted(), Brightest(), Inverted()), "steps")


def whole(frames=2 * SHARD + 5):
    return replace(clip(frames), structures=None, structure_names=(), sector=None, box=None)


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("size", [1, 7, CHUNK, SHARD, 999])
@pytest.mark.parametrize("frames", [2, SHARD, 2 * SHARD + 5])
def test_a_streamed_clip_leaves_the_files_of_one_that_was_read_whole(tmp_path, size, frames):
    loader = Blocks(whole(frames), size)
    [(_, key)] = prepare(loader, [REF], STEPS, Store(tmp_path / "blocks"))
    assert loader.reads == 0
    Store(tmp_path / "whole").put(key, STEPS(loader.whole))
    assert files(tmp_path / "blocks") == files(tmp_path / "whole")
    assert Store(tmp_path / "blocks").problem(key) == ""


@pytest.mark.parametrize("fps", [10.0, 24.0, 25.0, 30.0, 58.0])
@pytest.mark.parametrize("size", [1, 7, 999])
def test_a_clip_that_is_resampled_leaves_the_same_files_too(tmp_path, size, fps):
    resampled = frame_rate(fps=25, slower=True)
    steps = Preparation((*STEPS.steps, resampled), "resampled")
    loader = Blocks(replace(whole(SHARD + 5), fps=fps), size)
    [(_, key)] = prepare(loader, [REF], steps, Store(tmp_path / "blocks"))
    assert loader.reads == 0
    made = steps(loader.whole)
    Store(tmp_path / "whole").put(key, made)
    assert files(tmp_path / "blocks") == files(tmp_path / "whole")
    stream = open_stream(loader, REF, steps.steps)
    shown, wanted = stream.masked(20, 9), steps.masked(loader.whole)
    assert np.array_equal(shown.frames, wanted.frames[20:29])
    assert shown.fps == wanted.fps


def test_a_selection_before_another_step_has_the_clip_read_whole():
    steps = (frame_rate(fps=25), *STEPS.steps)
    assert open_stream(Blocks(replace(whole(), fps=50.0)), REF, steps) is None


def test_one_step_that_needs_the_whole_clip_has_it_read_whole(tmp_path):
    loader = Blocks(whole())
    reversed_in_time = Preparation((*STEPS.steps, lambda c, rng: c), "other")
    [(_, key)] = prepare(loader, [REF], reversed_in_time, Store(tmp_path))
    assert loader.reads == 1
    assert isinstance(key, str)


def test_a_clip_that_ends_early_the_second_time_is_refused_and_leaves_nothing(tmp_path):
    loader = Blocks(whole(), missing=3)
    [(_, error)] = prepare(loader, [REF], STEPS, Store(tmp_path / "store"))
    assert isinstance(error, ClipError)
    assert "it changed while it was read: 258 of its 261 frames" in str(error)
    assert list((tmp_path / "store").iterdir()) == []


def test_what_cannot_be_stored_and_impossible_numbers_are_refused_before_the_blocks(tmp_path):
    for wrong, steps, message in (
        (replace(whole(), fps=float("inf")), STEPS, "frame rate is inf"),
        (whole(), Preparation((Floats(),), "floats"), r"uint8 \(T, H, W\) can be stored"),
    ):
        with pytest.raises(ClipError, match=message):
            steps.stream(Blocks(wrong), REF)


@dataclass(frozen=True)
class Floats(Inverted):
    def __call__(self, clip, rng):
        return replace(clip, frames=clip.frames / np.float32(255))


@pytest.mark.parametrize(("start", "k"), [(0, 3), (5, 4), (40, 60), (256, 5)])
def test_shown_frames_are_those_of_the_whole_clip(start, k):
    loader = Blocks(whole())
    streamed, length = STEPS.shown(loader, REF, start, k)
    assert loader.reads == 0
    masked = STEPS.masked(loader.whole)
    assert length == len(masked.frames) == 261
    assert np.array_equal(streamed.frames, masked.frames[start : start + k])
    assert np.array_equal(streamed.sector, masked.sector)
    assert (streamed.box, streamed.fps) == (masked.box, loader.whole.fps)
    loader.whole = replace(loader.whole, structures=clip(261).structures)
    as_read = Preparation((*STEPS.steps, lambda c, rng: c), "other").shown(loader, REF, start, k)
    assert loader.reads == 1
    assert np.array_equal(as_read[0].frames, streamed.frames)


def test_frames_are_counted_either_way():
    loader = Blocks(whole())
    assert STEPS.count(loader, REF) == 261
    assert (loader.reads, Preparation((), "none").count(loader, REF)) == (0, 261)


# real files and the steps of the paper ------------------------------------------------------------


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    return [long_video.write_video(folder / f"{n}.mp4", n) for n in (150, 3000)]


def test_a_long_video_is_prepared_to_the_same_bytes(videos, tmp_path, monkeypatch):
    video = videos[0]
    loader = resolve("loader", "files", source=str(video))
    (ref,) = loader.index()
    assert open_stream(loader, ref, long_video.preparation().steps) is None  # it is short
    key = long_video.prepare_one(video, tmp_path / "whole")
    monkeypatch.setattr(echokit_io.video_stream, "LONG", 0)
    assert open_stream(loader, ref, long_video.preparation().steps) is not None
    assert long_video.prepare_one(video, tmp_path / "blocks") == key
    assert files(tmp_path / "blocks") == files(tmp_path / "whole")
    (checked,) = check_files(loader)
    assert checked.facts.digest == pixel_digest((150, 120, 160), [loader.read(ref).frames])
    assert (checked.facts.frames, checked.facts.height, checked.facts.width) == (150, 120, 160)


@pytest.mark.slow
def test_preparing_ten_times_the_frames_takes_no_more_memory(videos, tmp_path):
    def megabytes(video, long):
        words = [sys.executable, long_video.__file__, str(video), str(tmp_path / f"{long}"), long]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        return float(printed.split()[0])

    short, streamed = (megabytes(video, "1000") for video in videos)
    bare = 3000 * 120 * 160 / 1e6
    assert streamed - short < 0.4 * bare
    assert megabytes(videos[1], "1000000000") - short > bare  # read whole: each step copies it


@pytest.mark.parametrize("damage", ["cut", "grey", "doppler"])
def test_a_long_video_is_refused_for_the_reasons_of_a_short_one(
    videos, tmp_path, monkeypatch, damage
):
    path = tmp_path / "a.mp4"
    content = Path(videos[0]).read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2] + bytes(len(content) // 2))
    elif damage == "grey":
        long_video.write_still(path)
    else:
        long_video.write_doppler(path)
    reasons = []
    for long in (10**9, 0):
        monkeypatch.setattr(echokit_io.video_stream, "LONG", long)
        (found,) = loader = list(resolve("loader", "files", source=str(path)).index())
        reasons.append(getattr(found, "reason", "") or refused(path, found))
        assert loader
    assert reasons[0] == reasons[1] != ""


def refused(path, ref):
    loader = resolve("loader", "files", source=str(path))
    with pytest.raises(ClipError) as caught:
        long_video.preparation().count(loader, ref)
    return str(caught.value)


def test_memory_is_asked_for_what_is_held_and_reading_whole_is_refused(videos, monkeypatch):
    """58 MB of frames, where 20 MB are allowed."""
    monkeypatch.setattr(echokit_io.video_stream, "LONG", 1000)
    loader = resolve("loader", "files", source=str(videos[1]), limits={"memory": 20})
    (ref,) = loader.index()
    with pytest.raises(ClipError, match=r"takes 73 MB, more than the 20 MB"):
        loader.read(ref)
    assert long_video.preparation().count(loader, ref) == 3000
    strict = resolve("loader", "files", source=str(videos[1]), limits={"memory": 3})
    with pytest.raises(ClipError, match="more than the 3 MB of memory"):
        long_video.preparation().count(strict, ref)
