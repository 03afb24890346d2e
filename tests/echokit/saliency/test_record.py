"""An explained sequence on disk: an array without pickles, a movie, a strip."""

from __future__ import annotations

import numpy as np
from PIL import Image

from echokit import Clip, Saliency
from echokit.saliency.record import Explanation, file_stem, record

SHAPE = (4, 16, 20)


def explained(**known) -> Explanation:
    frames = np.arange(np.prod(SHAPE), dtype=np.uint32).reshape(SHAPE).astype(np.uint8)
    values = np.zeros(SHAPE, np.float32)
    values[1, 2:5, 3:7] = 1
    return Explanation(Clip(frames, fps=25.0, **known), 7, Saliency(values, 1, "test"), {})


def test_the_arrays_of_a_map_are_saved_without_pickle(tmp_path):
    explanation = explained(sector=np.ones(SHAPE[1:], bool), structures=np.ones(SHAPE, np.uint8))
    files = record(explanation, tmp_path / "a" / "map")
    with np.load(files.array, allow_pickle=False) as saved:
        assert sorted(saved) == ["frames", "saliency", "sector", "structures"]
        assert np.array_equal(saved["saliency"], explanation.saliency.values)
        assert np.array_equal(saved["frames"], explanation.clip.frames)
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["map.npz", "map.png", "map.webp"]


def test_the_movie_shows_each_frame_at_the_rate_of_the_source(tmp_path):
    shown = Clip(np.zeros(SHAPE, np.uint8), fps=50.0)
    shown.frames[:] = np.arange(SHAPE[0])[:, None, None] * 40
    files = record(explained(), tmp_path / "map", shown=shown)
    with Image.open(files.movie) as movie:
        assert movie.n_frames == SHAPE[0]
        movie.seek(1)
        movie.load()  # only a loaded frame knows how long it stands
        assert movie.info["duration"] == 20


def test_other_frames_may_be_shown_under_the_map(tmp_path):
    larger = np.zeros((4, 64, 80), np.uint8)
    record(explained(), tmp_path / "a")
    sector = np.zeros((64, 80), bool)
    sector[10:] = True
    files = record(explained(), tmp_path / "b", shown=Clip(larger, fps=25.0, sector=sector))
    assert files.shown == "source"
    with np.load(files.array) as saved:
        assert saved["shown"].shape == larger.shape
        assert np.array_equal(saved["shown_sector"], sector)
        assert saved["frames"].shape == SHAPE, "what the network saw stays beside it"
    with Image.open(tmp_path / "b.png") as strip, Image.open(tmp_path / "a.png") as other:
        assert strip.size == other.size
        assert np.asarray(strip)[40:100, 10:100].mean() < np.asarray(other)[40:100, 10:100].mean()


def test_paths_are_told_relative_to_a_folder(tmp_path):
    files = record(explained(), tmp_path / "saliency" / "map")
    assert files.as_json(tmp_path) == {
        "array": "saliency/map.npz",
        "movie": "saliency/map.webp",
        "strip": "saliency/map.png",
        "shown": "prepared",
    }


def test_large_frames_of_the_source_are_kept_smaller(tmp_path):
    frames = np.full((4, 1024, 768), 200, np.uint8)
    sector = np.ones((1024, 768), bool)
    files = record(explained(), tmp_path / "map", shown=Clip(frames, sector=sector))
    with np.load(files.array) as saved:
        assert saved["shown"].shape == (4, 512, 384)
        assert saved["shown_sector"].shape == (512, 384)
        assert (saved["shown"] == 200).all()


def test_a_file_name_is_safe_and_tells_no_name():
    stem = file_stem("Smith/../Jane", "A4C", 3)
    assert stem.startswith("A4C-")
    assert stem.endswith("-003")
    assert "Smith" not in stem
    assert stem != file_stem("Smith/../Jack", "A4C", 3)
