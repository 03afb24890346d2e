"""Faults of the research code in learning: what was chosen, drawn, cut and turned."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from echokit import Clip, ClipError, resolve
from echokit.clips.sequences import SequenceSpec, voting_starts
from echokit.folder import RunFolder
from echokit.networks.job import Job
from echokit.networks.sampling import BalancedSampler, TrainingSequences, draw_start
from echokit.recipe import load_recipe
from echokit.runs import Run, train
from echokit.runs.start import open_run

SETTINGS = ["train.epochs=2", "split.splits=1", "views.use=['A4C']"]
A4C = Job("severity", "spatio-temporal", "A4C", 0)


def run_in(path) -> Run:
    recipe = load_recipe("tiny-study", settings=SETTINGS)
    return open_run(RunFolder.create(path / "run", recipe).path)


def weights(run: Run) -> bytes:
    train.step(run)
    return run.weights(A4C).read_bytes()


def ruined(run: Run, side: str) -> Run:
    """The run with other pixels and, where a label remains for each, other labels on a side."""
    population = run.population
    labels = population.labelled["severity"]
    run.store.put("noise", Clip(np.random.default_rng(0).integers(0, 256, (10, 16, 16), np.uint8)))
    clips = {item.clip for item in population.items(A4C, side)}
    other = dict(zip(labels.classes, labels.classes[::-1], strict=True))
    swapped = {c: other[name] if c in clips else name for c, name in labels.clips.items()}
    changed = replace(
        population,
        labelled={"severity": replace(labels, clips=swapped)},
        keys={c: ("noise", 10) if c in clips else kept for c, kept in population.keys.items()},
    )
    return replace(run, found=changed)


@pytest.mark.usefixtures("tiny_plugin")
def test_the_best_epoch_is_not_chosen_on_the_reported_split(tmp_path):
    """Whatever is done to the held-out patients, the kept weights stay the same to the bit."""
    kept = weights(run_in(tmp_path / "as it is"))
    assert weights(ruined(run_in(tmp_path / "held out ruined"), "test")) == kept
    assert weights(ruined(run_in(tmp_path / "training ruined"), "train")) != kept


@pytest.mark.usefixtures("tiny_plugin")
def test_the_best_epoch_is_not_chosen_at_all_the_last_one_is_kept(tmp_path):
    run = run_in(tmp_path)
    train.step(run)
    kept, how = load_file(run.weights(A4C)), run.recipe.train
    draws = how.n * len(run.population.items(A4C, "train"))
    steps = how.epochs * -(-draws // how.batch)
    assert kept["1.num_batches_tracked"] == steps, "batch norm counted to the last step"


def epoch_of(data: TrainingSequences, epoch: int) -> list[bytes]:
    sampler = BalancedSampler([item.label for item in data.items], 12, seed=0)
    sampler.epoch = epoch
    return [data[index][0].numpy().tobytes() for index in sampler]


def test_augmentation_is_not_frozen_two_epochs_show_different_sequences(prepared):
    store, items = prepared(1, frames=4)  # of one window, so that only augmentation can differ
    noise = resolve("transform", "monai-brightness", probability=1.0)
    data = TrainingSequences(items, store, SequenceSpec(1, 4, (noise,), 1.0))
    shown = [*epoch_of(data, 0), *epoch_of(data, 1)]
    assert len(set(shown)) == len(shown) == 24


def test_clips_are_not_drawn_once_two_epochs_show_different_windows(prepared):
    store, items = prepared(1, frames=40)
    data = TrainingSequences(items, store, SequenceSpec(1, 4))
    assert set(epoch_of(data, 0)) != set(epoch_of(data, 1))
    assert epoch_of(data, 0) == epoch_of(data, 0)


def test_augmentation_is_not_in_place_the_stored_clip_is_unchanged(prepared):
    store, items = prepared(1)
    names = ("sharpness", "brightness", "gamma", "noise", "background", "affine")
    every = tuple(resolve("transform", f"monai-{name}", probability=1.0) for name in names)
    before = digests(store.path), store.clip(items[0].key).frames
    shown = epoch_of(TrainingSequences(items, store, SequenceSpec(1, 4, every, 1.0)), 0)
    assert len(set(shown)) > 1
    assert digests(store.path) == before[0]
    np.testing.assert_array_equal(store.clip(items[0].key).frames, before[1])


def digests(folder):
    return {p: hashlib.sha256(p.read_bytes()).digest() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("frames", "k"), [(12, 12), (13, 12), (20, 12), (122, 12), (5, 1)])
def test_the_last_possible_window_start_is_not_excluded(frames, k):
    rng = torch.Generator().manual_seed(0)
    last = frames - k
    assert max(draw_start(frames, k, rng) for _ in range(40 * (last + 1))) == last
    assert set(voting_starts("clip", frames, k, last + 1)) == set(range(last + 1))


def test_a_short_video_is_refused_by_name_instead_of_a_bare_value_error():
    with pytest.raises(ClipError, match="patient-7/A4C has 11 frames; a sequence needs 12"):
        voting_starts("patient-7/A4C", 11, 12, 10)


@pytest.mark.usefixtures("tiny_plugin")
def test_a_short_video_among_others_becomes_a_named_rejection(tmp_path, parts, monkeypatch):
    read = parts.TinyLoader.read

    def cut(loader, ref):
        clip = read(loader, ref)
        return replace(clip, frames=clip.frames[:3]) if ref.clip == "p03-A4C" else clip

    monkeypatch.setattr(parts.TinyLoader, "read", cut)
    population = run_in(tmp_path).population
    reasons = {item.where: item.reason for item in population.cohort.rejected}
    assert reasons["p03-A4C"] == "it has 3 frames; a sequence needs 4"
    assert len(population.cohort.clips) == 9
    assert "p03-A4C" not in population.keys


@pytest.mark.parametrize("shape", [(12, 65, 65), (12, 49, 81), (3, 81, 49)])
def test_the_rotation_centre_of_a_clip_is_not_its_corner(shape):
    still = {"translation": 0.0, "scale": [1.0, 1.0], "zoom": [1.0, 1.0]}
    rotate = resolve("transform", "monai-affine", probability=1.0, **still)
    centre = (shape[1] // 2, shape[2] // 2)
    impulses = np.zeros(shape, np.float32)
    impulses[:, *centre] = 1
    impulses[:, 5, 5] = 1
    for seed in range(8):
        out = rotate(Clip(impulses), torch.Generator().manual_seed(seed)).frames
        for frame in out:
            assert frame[centre] == pytest.approx(1, abs=1e-4)
        assert out[0, 5, 5] < 0.9, "the clip was not rotated"
