"""One's own study, predicted by a trained run: who votes, who is named, what is written."""

from __future__ import annotations

import json

import pytest

from echokit import CohortError, UsageError
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.studies.predict import open_predictor, predict_study
from echokit.system.files import write_json

pytestmark = pytest.mark.usefixtures("tiny_plugin")


@pytest.fixture
def trained(tmp_path):
    """A finished run of one split, whose study loader finds two patients with one view each."""
    settings = ["split.splits=1", "train.n=1", "study.patients=2", "report.examples=0"]
    recipe = load_recipe("tiny-study", settings=settings)
    folder = RunFolder.create(tmp_path / "runs" / "one", recipe)
    carry_out(recipe, folder)
    return folder.path


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    return tmp_path / "study"


def test_each_patient_votes_with_the_views_there_are_and_the_rest_is_named(
    trained, study, tmp_path, parts
):
    document = predict_study(open_predictor(trained), study, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "prediction.json").read_text()) == document
    assert [subject["patient"] for subject in document["subjects"]] == ["p00", "p01"]
    for subject in document["subjects"]:
        assert (subject["views_used"], subject["views_missing"]) == (["A4C"], ["PLAX"])
        [clip] = subject["clips"]
        assert subject["label"] == clip["label"]
        assert len(clip["sequences"]) == 3
        assert sum(clip["probabilities"].values()) == pytest.approx(1)
        assert (tmp_path / "out" / clip["saliency"]["array"]).is_file()
    [rejected] = document["rejected"]
    assert (rejected["where"], rejected["reason"]) == ("notes.txt", "it is not a clip")
    assert document["synthetic_training"] is True
    assert parts.TinyPlugin.targets == [
        document["classes"].index(s["label"]) for s in document["subjects"]
    ], "explained is what was predicted"
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_map_carries_the_runs_tests_of_its_network(trained, study, tmp_path):
    index = {
        "maps": [
            {"task": "severity", "approach": "spatio-temporal", "view": view, "scores": scores}
            for view, scores in (
                ("A4C", {"verdict": {"passed": True}}),
                ("A4C", {"verdict": {"passed": False}}),
                ("A4C", {"verdict": {"passed": False}}),
                ("PLAX", {"verdict": {"passed": True}}),
            )
        ]
    }
    write_json(trained / "saliency" / "index.json", index)
    document = predict_study(open_predictor(trained), study, tmp_path / "out")
    for subject in document["subjects"]:
        [clip] = subject["clips"]
        assert clip["saliency"]["record"] == {"maps": 3, "passed": 1}
        assert "verdict" not in clip["saliency"]["scores"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Of 3 maps that this network gave for held-out patients of its run, 1 passed" in page


def test_each_map_is_tested_where_that_is_asked(trained, study, tmp_path, parts):
    document = predict_study(open_predictor(trained), study, tmp_path / "out", test_saliency=True)
    predicted = [document["classes"].index(s["label"]) for s in document["subjects"]]
    calls = len(parts.TinyPlugin.targets) // 2  # of each: its map, and those of random networks
    assert parts.TinyPlugin.targets == sorted(predicted * calls, key=predicted.index), (
        "explained is what was predicted"
    )
    for subject in document["subjects"]:
        [clip] = subject["clips"]
        scores = clip["saliency"]["scores"]
        assert scores["randomisation"]["similarity"][-1] == pytest.approx(1)
        assert scores["verdict"]["passed"] is False, "the explainer ignores the network"
    assert (tmp_path / "out" / "index.html").is_file()


def test_nothing_is_left_of_a_prediction_that_failed(trained, study, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("echokit.report.build_study_page", fail)
    with pytest.raises(KeyboardInterrupt):
        predict_study(open_predictor(trained), study, tmp_path / "results" / "out")
    assert list((tmp_path / "results").iterdir()) == []


def test_a_study_without_a_clip_that_can_be_used_names_every_one(trained, study, tmp_path):
    recipe = trained / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("patients = 2", "patients = 1\nframes = 3"))
    with pytest.raises(CohortError, match=r"notes\.txt: .*p00-A4C: it has 3 frames"):
        predict_study(open_predictor(trained), study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_predicted_is_refused_before_any_work(trained, study, tmp_path):
    predictor = open_predictor(trained)
    with pytest.raises(UsageError, match="There is no study at"):
        predict_study(predictor, tmp_path / "gone", tmp_path / "out")
    with pytest.raises(UsageError, match="choose another folder with --out"):
        predict_study(predictor, study, study)
    with pytest.raises(UsageError, match=r"no network for the view 'PSAX-P': it has A4C, PLAX"):
        predict_study(predictor, study, tmp_path / "out", view="PSAX-P")
    with pytest.raises(UsageError, match=r"no task 'binary': it has severity"):
        open_predictor(trained, "binary")


def test_a_run_without_networks_says_how_to_finish_it(tmp_path):
    folder = RunFolder.create(tmp_path / "begun", load_recipe("tiny-study"))
    with pytest.raises(UsageError, match=r"no trained network.*`echokit run --resume .*begun`"):
        open_predictor(folder.path)
