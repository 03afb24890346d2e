"""CUDA computes what the CPU computes, resumes to the bit, and repeats when it is told to.

`ECHOKIT_GPU_TESTS_ON=cpu` runs the same tests without a GPU, which shows that the tests work. With
`ECHOKIT_GPU_FIGURES=FILE` the measured differences are written to that file.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import softmax
from torch.backends import cudnn

import echokit
from echokit import TrainingError
from echokit.components.networks import make_model
from echokit.engines.eager import run_eagerly
from echokit.networks import train as training
from echokit.networks.checkpoint import channels_last
from echokit.recipe import load_recipe
from echokit.runs.jobs import Work
from echokit_benchmarks.gpu.works import prepared_works, with_compute

ON = os.environ.get("ECHOKIT_GPU_TESTS_ON", "cuda")
TINY = ["train.epochs=3", "train.n=2", "data.patients=9", "data.frames=14", "data.size=64"]
SMALL_RUN = {
    "data.patients": 18,
    "data.prevalence": [1, 1, 1],
    "data.files": 0,
    "data.frames": 14,
    "data.size": 64,
    "data.machine": "reference",
    "test": False,
    "backbone.weights": "none",
    "data.views": ["PLAX", "PSAX-P"],
    "views.use": ["PLAX", "PSAX-P"],
    "train.epochs": 4,
    "feature_fusion.enabled": True,
    "sequences.n": 3,
    "evaluate.bootstrap": 10,
    "report.examples": 0,  # the study's clips are explained
}

pytestmark = pytest.mark.skipif(
    ON == "cuda" and not torch.cuda.is_available(),
    reason="there is no CUDA device; ECHOKIT_GPU_TESTS_ON=cpu runs these tests on the CPU",
)


def note(name: str, value: float) -> None:
    """Write a figure to the file of figures, and print it."""
    print(f"{name}: {value:.3g}")
    if "ECHOKIT_GPU_FIGURES" in os.environ:
        path = Path(os.environ["ECHOKIT_GPU_FIGURES"])
        figures = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps(figures | {name: value}, indent=1) + "\n")


@pytest.fixture(scope="module")
def logits():
    """Logits of the network of `paper` on the CPU, on the device, and there in bfloat16."""
    width, side = (64, 112) if ON == "cuda" else (4, 32)
    recipe = load_recipe("ph-newborn", preset="paper", settings=[f"backbone.width={width}"])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = channels_last(make_model(recipe, 3).eval())
        with torch.no_grad():
            network.head.weight.normal_()  # first weights are so small that logits hardly differ
    inputs = np.random.default_rng(0).standard_normal((4, 1, 12, side, side), dtype=np.float32)
    cpu = run_eagerly(network).forward(inputs)
    network = network.to(ON)
    return cpu, run_eagerly(network).forward(inputs), run_eagerly(network, "fast").forward(inputs)


def test_fp32_gives_the_logits_of_the_cpu(logits):
    """In `exact` precision, which switches TF32 off in cuDNN: with TF32 it would not hold."""
    cpu, exact, _ = logits
    difference = float(np.abs(exact - cpu).max() / np.abs(cpu).max())
    note("fp32, largest difference of a logit from the CPU's, relative to the largest", difference)
    assert difference < 1e-3


def test_bf16_gives_nearly_the_probabilities_of_the_cpu(logits):
    cpu, _, fast = logits
    chance = float(np.abs(softmax(fast, axis=1) - softmax(cpu, axis=1)).max())
    note("bf16, largest difference of a probability from the CPU's", chance)
    note("bf16, largest difference of a logit from the CPU's", float(np.abs(fast - cpu).max()))
    assert chance < 0.1


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Work:
    (work,) = prepared_works("quick", TINY, tmp_path_factory.mktemp("prepared"))
    return work


def trained(work: Work, models: Path, tick=lambda done: None, **compute):
    settings = {"device": ON, "workers": 0, "deterministic": True} | compute
    changed = with_compute(work, models, **settings)
    changed(tick)
    return load_file((models / work.job.stem).with_suffix(".safetensors"))


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_weights_to_the_bit_when_told(work, tmp_path):
    assert equal(trained(work, tmp_path / "a"), trained(work, tmp_path / "b"))


def test_loading_processes_change_no_weight(work, tmp_path):
    assert equal(trained(work, tmp_path / "a"), trained(work, tmp_path / "b", workers=2))


def test_without_being_told_weights_may_differ_by_how_much_is_noted(work, tmp_path):
    first, second = (trained(work, tmp_path / name, deterministic=False) for name in "ab")
    differences = [
        (first[name].double() - second[name].double()).abs().max().item() for name in first
    ]
    note("not deterministic, largest difference of a weight between two runs", max(differences))
    assert all(torch.isfinite(tensor).all() for tensor in first.values())


def test_interrupted_and_resumed_equals_uninterrupted_to_the_bit(work, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SECONDS_BETWEEN_CHECKPOINTS", 0)
    whole = trained(work, tmp_path / "whole")
    epoch, done = work.recipe.train.n * len(work.items), 0

    def stop(samples: int) -> None:
        nonlocal done
        done += samples
        if done > 2 * epoch:  # in the third epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(work, tmp_path / "parts", stop)
    ticks: list[int] = []
    assert equal(whole, trained(work, tmp_path / "parts", ticks.append))
    assert ticks[0] == 2 * epoch, "two epochs are not trained again"


def test_training_leaves_pytorchs_settings_as_they_were(work, tmp_path):
    def settings():
        return cudnn.benchmark, cudnn.deterministic, torch.are_deterministic_algorithms_enabled()

    before = settings()
    trained(work, tmp_path / "a")
    trained(work, tmp_path / "b", deterministic=False)
    assert settings() == before


def test_a_loss_that_is_no_number_stops_with_what_to_do(work, tmp_path):
    recipe = work.recipe
    hot = recipe.model_copy(update={"train": recipe.train.model_copy(update={"lr": 1e30})})
    with pytest.raises(TrainingError, match=r"The loss became .* in epoch .*--set train\.lr="):
        trained(replace(work, recipe=hot), tmp_path)


def test_a_run_predicts_a_study_on_the_device_as_on_the_cpu(tmp_path):
    """The whole journey on the device: training, voting, feature fusion, report, saliency."""
    settings = SMALL_RUN | {"compute.device": ON}
    run = echokit.run("ph-newborn", preset="quick", settings=settings, out=tmp_path / "run")
    on_cpu = shutil.copytree(run.folder.path, tmp_path / "cpu")
    recipe = on_cpu / "recipe.toml"
    text = recipe.read_text("utf-8")
    assert f'device = "{ON}"' in text
    recipe.write_text(text.replace(f'device = "{ON}"', 'device = "cpu"'), "utf-8")
    loader = echokit.resolve("loader", "phantom", patients=30, size=64, frames=14, files=0, seed=9)
    studies: dict[str, dict[str, echokit.Clip]] = {}
    for ref in loader.index():
        if ref.view in ("PLAX", "PSAX-P") and len(studies) <= 4:
            studies.setdefault(ref.patient, {})[ref.view] = loader.read(ref)
    ours, theirs = echokit.load(run.folder.path), echokit.load(on_cpu)
    differences = []
    for clips in list(studies.values())[:4]:
        here, there = (model.predict(list(clips.values()), list(clips)) for model in (ours, theirs))
        assert here.label == there.label
        differences += [
            abs(here.probabilities[name] - there.probabilities[name]) for name in here.probabilities
        ]
    note("study, largest difference of a probability from the CPU's", max(differences))
    assert (run.folder.path / "report" / "index.html").is_file()
