"""The networks that come with the recipes."""

from __future__ import annotations

import json

import pytest

import echokit
from echokit.engines.eager import run_eagerly
from echokit.plugins import resolve
from echokit.recipe.demo import demo_folders

MEGABYTES = 6
"""What all of them may take in the wheel."""


def hearts(**options):
    """Clips of other patients than those the networks learned from, eight of each label."""
    common = {"views": ["PLAX", "PSAX-P"], "size": 64, "frames": 40, "files": 0, "seed": 777}
    options = common | {"patients": 24, "prevalence": [1, 1, 1], "machine": "random"} | options
    loader = resolve("loader", "phantom", **options)
    studies: dict[str, dict[str, echokit.Clip]] = {}
    grades = {}
    for ref in loader.index():
        studies.setdefault(ref.patient, {})[ref.view] = loader.read(ref)
        grades[ref.patient] = int(ref.labels["grade"])
    return studies, grades


def test_each_recipe_of_ours_brings_one_and_all_are_small():
    folders = demo_folders()
    assert set(folders) == {"echo-view", "ph-newborn"}
    files = [path for folder in folders.values() for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MEGABYTES * 1e6
    assert {path.suffix for path in files} <= {".json", ".parquet", ".safetensors", ".toml"}


def test_every_one_is_marked_synthetic():
    for folder in demo_folders().values():
        assert json.loads((folder / "run.json").read_text())["synthetic"] is True


@pytest.mark.slow
def test_it_tells_hearts_it_has_never_seen():
    model = echokit.load("demo")
    studies, grades = hearts()
    right = {True: 0, False: 0}
    for patient, clips in studies.items():
        result = model.predict(
            list(clips.values()), view=list(clips), saliency=False, judge_anyway=True
        )
        assert result.synthetic_training
        assert result.label in model.classes
        truth = ("none", "mild", "moderate-severe", "moderate-severe")[grades[patient]]
        right[result.label == truth] += 1
    assert right[True] >= 15, "guessing gives eight of 24, rarely more than 14"


@pytest.mark.slow
def test_the_command_finds_views_itself_and_says_whence_the_networks_learned(echokit, tmp_path):
    loader = resolve("loader", "phantom", patients=1, views=["PLAX"], size=96, frames=40, files=0)
    loader.write(tmp_path / "study", "dicom")
    (clip,) = (tmp_path / "study").rglob("*.dcm")
    words = ["predict", "demo", clip, "--view", "auto", "--judge-anyway", "--json"]
    done = echokit(*words, "--out", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["subjects"][0]["clips"][0]["view"] == "PLAX"
    assert found["synthetic_training"] is True
    assert "ynthetic" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.slow
def test_training_from_it_begins_where_it_ended(tmp_path):
    settings = {
        "data.patients": 12, "data.prevalence": [1, 1, 1], "views.use": ["PSAX-P"],
        "data.views": ["PSAX-P"], "data.size": 64, "test": False, "crossfit.folds": 0,
        "train.epochs": 1, "train.lr": 1e-9, "report.examples": 0, "evaluate.bootstrap": 0,
        "compute.jobs": 1, "data.files": 0,
    }  # fmt: skip
    run = echokit.run("ph-newborn", preset="quick", settings=settings, out=tmp_path / "run")
    trained, demo = run.network(run.job("PSAX-P")), echokit.load("demo")
    sequence, _ = run.dataset(0, "test", "PSAX-P")[0]
    mine = run_eagerly(trained).forward(sequence[None].numpy())
    opened = demo.networks.open("PSAX-P", sequence[None].repeat(2, 1, 1, 1, 1).numpy(), 2)
    theirs = opened.engine.running.forward(sequence[None].numpy())
    assert abs(mine - theirs).max() < 0.5, "the statistics of batch norm move a little"


def test_a_width_that_does_not_fit_is_refused_with_what_to_type(tmp_path):
    settings = {"backbone.width": 4, "data.patients": 30, "data.files": 0, "test": False}
    with pytest.raises(echokit.OptionError, match="weights"):
        echokit.run("ph-newborn", preset="quick", settings=settings, out=tmp_path / "run")


@pytest.mark.slow
def test_it_carries_over_to_hearts_of_another_simulator_of_which_it_calls_many_unusual(tmp_path):
    """Of 90 such hearts its balanced accuracy was 0.85, and 41 were unlike its training clips."""
    from second_renderer import SecondCohort

    cohort = SecondCohort(patients=30, views=("PSAX-P",), size=112, frames=30, seed=5)
    found = echokit.evaluate("demo", cohort.write(tmp_path / "second"))
    row = found.metrics[found.metrics["views"] == "PSAX-P"].iloc[0]
    assert row["n_subjects"] == 30
    assert row["balanced_accuracy"] > 0.6, "guessing gives a third"
    (unusual,) = (note for note in found.notes if "unlike every clip" in note)
    assert int(unusual.split()[0]) >= 5, "its false alarms are 2 %"
