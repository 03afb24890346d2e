"""What a run fits for its predictions, as studies meet it: from the run and from bundles of it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from echokit import UsageError
from echokit.cli import main
from echokit.evaluation.fitted import fit_predictions
from echokit.export.write import export_run
from echokit.folder import RunFolder
from echokit.novelty.detector import load_detector
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.studies.load import load
from echokit.system.digests import DamageWarning, Digests
from echokit.voting.table import PredictionTable

pytestmark = pytest.mark.usefixtures("tiny_plugin")
SETTINGS = [
    "split.splits=1",
    "train.n=1",
    "data.patients=60",
    "study.patients=2",
    "report.examples=0",
    "evaluate.bootstrap=0",
]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("shelf")


def made(shelf, folds):
    """A finished run, made once for all tests of this file."""
    path = shelf / f"folds-{folds}"
    if not path.exists():
        recipe = load_recipe("tiny-study", settings=[*SETTINGS, f"crossfit.folds={folds}"])
        carry_out(recipe, RunFolder.create(path, recipe))
    return path


@pytest.fixture
def run(shelf):
    return made(shelf, 2)


def noise(parts):
    clip = parts.square("0", 1)
    grey = np.random.default_rng(0).integers(0, 256, clip.frames.shape, dtype=np.uint8)
    return replace(clip, frames=grey)


def test_the_step_leaves_a_detector_for_each_view_and_says_how_it_was_fitted(run):
    document = json.loads((run / "novelty.json").read_text())
    assert [row["view"] for row in document["rows"]] == ["A4C", "PLAX"]
    for row in document["rows"]:
        assert (row["clips"], row["held_out_clips"]) == (36, 24)
        assert row["features"] == "inner networks"
        assert row["expected_false_alarms"] == pytest.approx(1 / 37)
        assert row["held_out_false_alarms"] <= 6
        path = run / "novelty" / "severity" / "spatio-temporal" / f"{row['view']}.safetensors"
        assert load_detector(path).threshold == row["threshold"]
    assert document["notes"] == []


def test_without_inner_networks_it_says_whose_features_were_used(shelf):
    document = json.loads((made(shelf, 0) / "novelty.json").read_text())
    assert {row["features"] for row in document["rows"]} == {"own network"}
    assert "more often than stated" in document["notes"][0]


def test_a_clip_unlike_the_training_clips_is_rejected_with_the_reason(run, parts, tmp_path):
    model = load(run)
    clips = [parts.square("2", 7), noise(parts)]
    result = model.predict(clips, view=["A4C", "PLAX"])
    assert result.views_used == ("A4C",)
    [rejected] = result.rejected
    assert (rejected.where, rejected.view) == ("clip-2", "PLAX")
    assert rejected.reason.startswith("unlike every clip the PLAX network learned from: ")
    assert not result.clips[0].novelty.is_novel
    page = result.save(tmp_path / "out")[-1].read_text()
    assert rejected.reason in page


def test_it_is_judged_on_request_and_marked(run, parts, tmp_path):
    result = load(run).predict(noise(parts), view="PLAX", judge_anyway=True)
    [clip] = result.clips
    assert clip.novelty.is_novel
    assert clip.judged_anyway == clip.novelty.reason
    assert result.rejected == ()
    result.save(tmp_path / "out")
    document = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert document["subjects"][0]["clips"][0]["judged_anyway"] == clip.judged_anyway
    assert "Judged on request" in (tmp_path / "out" / "index.html").read_text()


def test_a_study_of_which_nothing_is_judged_has_no_subject_and_says_why(run, parts, tmp_path):
    result = load(run).predict(noise(parts), view="PLAX")
    assert result.subjects == ()
    with pytest.raises(UsageError, match=r"No clip .* judged\. clip: unlike every clip"):
        result.label  # noqa: B018 - asking is what fails
    result.save(tmp_path / "out")
    assert "No prediction" in (tmp_path / "out" / "index.html").read_text()
    assert len(result.to_frame()) == 0


def test_the_command_leaves_with_a_status_of_its_own(run, tmp_path, monkeypatch, capsys):
    recipe = (run / "recipe.toml").read_text()
    strange = tmp_path / "runs" / "one"
    import shutil

    shutil.copytree(run, strange)
    (strange / "recipe.toml").write_text(recipe.replace("axis = 1", "axis = 0"))
    for path in (strange / "novelty").rglob("*.safetensors"):
        lowered = replace(load_detector(path), threshold=-100.0)
        from echokit.novelty.detector import save_detector

        save_detector(lowered, path)
    Digests.read(strange).record(("recipe.toml", "novelty/**/*"))  # as if the run had written them
    (tmp_path / "study").mkdir()
    words = ["echokit", "predict", str(strange), str(tmp_path / "study"), "--out"]
    monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / "a")])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 3
    assert "--judge-anyway" in capsys.readouterr().out
    assert Path(tmp_path / "a" / "index.html").is_file()
    monkeypatch.setattr(sys, "argv", [*words, str(tmp_path / "b"), "--judge-anyway"])
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    assert "judged anyway: p00-A4C: unlike every clip" in capsys.readouterr().out


def test_the_headline_is_the_calibrated_probability_and_the_label_set(run, parts, tmp_path):
    model = load(run)
    clips = [parts.square("2", 7), parts.square("2", 8)]
    result = model.predict(clips, view=["A4C", "PLAX"], judge_anyway=True)
    table = PredictionTable.read(run / "crossfit.parquet")
    fitted = fit_predictions(table, model.classes, model.rule)
    assert result.calibrated
    assert result.uncalibrated == ""
    assert set(result.label_set) <= set(model.classes)
    [first, second] = result.clips
    for clip in (first, second):
        sequences = np.array([list(one.probabilities.values()) for one in clip.sequences])
        tempered, held = fitted.of_clip(clip.view, sequences)
        assert list(clip.calibrated_probabilities.values()) == pytest.approx(tempered.tolist())
        assert clip.label_set == tuple(model.classes[index] for index in held)
    mean = [
        np.mean([clip.calibrated_probabilities[label] for clip in (first, second)])
        for label in model.classes
    ]
    assert list(result.calibrated_probabilities.values()) == pytest.approx(mean)
    result.save(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "calibrated probability" in page
    assert "(90 % set)" in page
    assert page.index("calibrated probability") < page.index("Agreement between sequences")
    assert {row["patients"] for row in result.record} == {"held-out"}
    assert "24 held-out patients of the same cohort" in page


def test_nothing_fitted_is_said_plainly(shelf, parts, tmp_path):
    model = load(made(shelf, 0))
    result = model.predict(parts.square("2", 7), view="A4C", judge_anyway=True)
    assert not result.calibrated
    assert result.label_set is None
    assert result.probability == result.probabilities[result.label]
    result.save(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Not calibrated" in page
    assert "crossfit.folds is 0" in page
    assert "calibrated probability" not in page.replace("uncalibrated probability", "")


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "openvino", "torch-export"])
def test_a_bundle_carries_all_of_it(run, parts, tmp_path, to):
    of_run, of_bundle = load(run), load(export_run(run, to, tmp_path))
    for clip in (parts.square("2", 7), noise(parts)):
        one, other = (
            model.predict(clip, view="PLAX", judge_anyway=True, saliency=False)
            for model in (of_run, of_bundle)
        )
        assert other.calibrated_probabilities == pytest.approx(one.calibrated_probabilities)
        assert other.label_set == one.label_set
        assert other.record == one.record
        assert other.uncalibrated == ""
        mine, its = one.clips[0].novelty, other.clips[0].novelty
        assert its.features == pytest.approx(mine.features, abs=1e-2)
        assert its.statistics == pytest.approx(mine.statistics)
        assert its.is_novel == mine.is_novel


def test_a_run_of_an_earlier_version_is_predicted_with_and_says_what_is_missing(
    run, parts, tmp_path
):
    import shutil

    old = Path(shutil.copytree(run, tmp_path / "runs" / "old"))
    shutil.rmtree(old / "novelty")
    for name in ("novelty.json", "metrics.json", "crossfit.parquet", "digests.json"):
        (old / name).unlink()
    with pytest.warns(DamageWarning, match="made before digests were kept"):
        model = load(old)
    result = model.predict(noise(parts), view="PLAX")
    assert result.clips[0].novelty is None
    assert not result.calibrated
    result.save(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Not compared with the clips the network learned from" in page
    assert "is not recorded" in page
