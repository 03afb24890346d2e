"""An external test cohort: who is tested, by which networks, and what is done again."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import echokit
from echokit import CohortError, UsageError
from echokit.evaluation.metrics import evaluate
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.system.digests import DamageWarning
from echokit.voting.table import PredictionTable

pytestmark = pytest.mark.usefixtures("tiny_plugin")

SETTINGS = {"train.n": 1, "explain": False}
OTHERS = {"use": "tiny", "source": "", "views": ["A4C", "PLAX"], "patients": 6, "frames": 12}
"""Squares of other clips; 6 patients whose names the run's own cohort has too."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("shelf")


def make(path, test):
    settings = SETTINGS | ({"test": test} if test else {})
    return echokit.run("tiny-study", settings=settings, out=path)


@pytest.fixture
def run(shelf):
    """A finished run with an external test cohort, opened anew; not to be changed."""
    if not (shelf / "one").exists():
        make(shelf / "one", OTHERS)
    return echokit.open_run(shelf / "one")


def stages(folder):
    return [row["name"] for row in json.loads((folder / "run.json").read_text())["stages"]]


def test_every_patient_is_predicted_by_the_networks_of_every_split(run):
    table = run.external_predictions
    views = table[table["level"] == "view"]
    assert set(views["patient"]) == {f"p{n:02d}" for n in range(6)}
    assert (views.groupby(["patient", "view"])["split"].nunique() == 2).all()
    subjects = table[table["level"] == "subject"]
    assert (subjects.groupby("patient")["split"].nunique() == 2).all()
    assert set(subjects["view"]) == {"MV-2"}
    assert list(table.columns) == list(run.predictions.columns)


def test_its_figures_are_the_mean_over_splits_of_the_networks_own(run):
    rows = json.loads((run.folder.path / "external.json").read_text())["rows"]
    table = PredictionTable(run.external_predictions)
    assert rows == json.loads(json.dumps(evaluate(table, {"severity": ("none", "severe")}, 20, 3)))
    by_views = run.external_metrics.set_index("views")
    views = table.frame[table.frame["level"] == "view"]
    for view, group in views.groupby("view"):
        right = (group["label"] == group["predicted"]).groupby(group["split"]).mean()
        assert by_views.loc[view, "recall"] == pytest.approx(right.mean())
        assert by_views.loc[view, "n_subjects"] == 6


def test_the_same_network_gives_a_clip_the_same_probabilities_in_every_table(run):
    job = run.job("A4C", split=1)
    from echokit.engines.eager import run_eagerly
    from echokit.runs.external import find_population
    from echokit.voting.votes import vote_clips

    items = find_population(run).items(job, "test")
    forward, parts = run_eagerly(run.network(job)).forward, run.parts[job.approach]
    voted = vote_clips(forward, items, ("none", "severe"), run.store, parts.voting, parts.view_rule)
    stored = run.external_predictions.query("level == 'view' and view == 'A4C' and split == 1")
    by_clip = stored.set_index("clip")["probabilities"]
    for clip in voted:
        np.testing.assert_allclose(by_clip[clip.item.clip], clip.prediction.probabilities, 1e-5)


def test_the_differences_are_those_of_the_two_files(run):
    document = json.loads((run.folder.path / "external.json").read_text())
    inside, outside = (frame.set_index("views") for frame in (run.metrics, run.external_metrics))
    assert [row["views"] for row in document["differences"]] == list(outside.index)
    for row in document["differences"]:
        for metric in ("f1", "balanced_accuracy", "auroc"):
            expected = outside.loc[row["views"], metric] - inside.loc[row["views"], metric]
            assert row[metric]["mean"] == pytest.approx(expected)
            low, high = row[metric]["ci95"]
            assert low <= high
        assert (row["n_subjects"], row["n_external"]) == (inside["n_subjects"][row["views"]], 6)


def test_every_clip_and_rejection_is_listed(run):
    listed = pd.read_csv(run.folder.path / "external.csv", dtype=str, keep_default_na=False)
    assert set(listed["status"]) == {"used", "rejected"}
    assert (listed["status"] == "used").sum() == 12
    assert listed.loc[listed["clip"] == "notes.txt", "reason"].item() == "it is not a clip"


def test_the_step_stands_in_run_json_only_where_there_is_such_a_cohort(run, tmp_path):
    assert stages(run.folder.path).count("external") == 1
    without = make(tmp_path / "without", None)
    assert "external" not in stages(without.folder.path)
    assert not list(without.folder.path.glob("external.*"))
    with pytest.raises(UsageError, match=r"no external test cohort.*--test-data.*echokit evaluate"):
        _ = without.external_metrics


def test_a_changed_test_cohort_does_this_step_again_and_no_other(run, tmp_path, monkeypatch):
    path = tmp_path / "two"
    made = make(path, OTHERS)
    before = {
        p: p.read_bytes() for p in path.rglob("*") if p.suffix in (".safetensors", ".parquet")
    }
    saved = path / "recipe.toml"
    recipe = made.recipe.model_copy(update={"test": made.recipe.test.model_copy(update={"x": 1})})
    assert recipe.training_digest() == made.recipe.training_digest()
    assert recipe.digest() == made.recipe.digest()
    saved.write_text(saved.read_text().replace("patients = 6", "patients = 4"))
    for step in ("predict", "evaluate", "calibrate"):
        monkeypatch.setitem(echokit.runs.STEPS, step, lambda *_, s=step: pytest.fail(s))
    monkeypatch.setattr("echokit.networks.train.train", lambda *_: pytest.fail("trained again"))
    with pytest.warns(DamageWarning, match=r"recipe\.toml was changed since the run was made"):
        again = echokit.run(resume=path)
    assert again.external_metrics["n_subjects"].tolist() == [4, 4, 4]
    changed = {p.name for p, blob in before.items() if p.read_bytes() != blob}
    assert changed == {"external.parquet"}
    text = saved.read_text()
    saved.write_text(text[: text.index("[test]")] + text[text.index("[views]") :])
    with pytest.warns(DamageWarning, match=r"recipe\.toml was changed"):
        done = echokit.run(resume=path)
    assert done.recipe.test is None
    assert not list(path.glob("external.*"))
    assert "external" not in stages(path)


def test_a_finished_step_is_not_done_again(run, monkeypatch):
    before = (run.folder.path / "external.json").read_bytes()
    monkeypatch.setitem(echokit.runs.STEPS, "external", lambda *_: pytest.fail("done again"))
    carry_out(run.recipe, RunFolder.open(run.folder.path))
    assert (run.folder.path / "external.json").read_bytes() == before


def test_another_network_has_the_cohort_predicted_again(run, tmp_path):
    made = make(tmp_path / "three", OTHERS)
    before = made.external_predictions.drop(columns="probabilities")
    next(made.folder.models.rglob("*.safetensors")).unlink()
    (tmp_path / "three" / "external.json").write_text("{}")
    again = echokit.run(resume=tmp_path / "three")
    assert len(again.external_metrics) == 3
    after = again.external_predictions.drop(columns="probabilities")
    pd.testing.assert_frame_equal(after, before)


def test_the_runs_own_patients_are_refused_by_name_and_by_content(tmp_path):
    own = {"use": "tiny", "source": "", "views": ["A4C", "PLAX"]}
    with pytest.raises(CohortError, match=r"10 of the 10 patients.*such as p00, p01, p02"):
        make(tmp_path / "same", own)
    with pytest.raises(CohortError, match=r"12 of the 12 clips.*such as p00-A4C, which is p00-A4C"):
        make(tmp_path / "part", own | {"patients": 6})


def test_a_cohort_of_one_label_is_tested_and_one_without_any_is_refused(tmp_path):
    made = make(tmp_path / "one", OTHERS | {"patients": 1})
    assert made.external_metrics["auroc"].isna().all()
    assert made.external_metrics["recall"].notna().all()


def test_a_users_cohort_is_not_tested_on_a_recipes_own_and_may_have_its_own(recipe_file, tmp_path):
    recipe_file.write_text(recipe_file.read_text() + 'test = { use = "tiny", source = "" }\n')
    assert load_recipe(str(recipe_file), preset="slow").test.options == {"source": ""}
    assert load_recipe(str(recipe_file), preset="slow", settings=["test=false"]).test is None
    mine, others = tmp_path / "mine", tmp_path / "others"
    assert load_recipe(str(recipe_file), preset="slow", data=mine).test is None
    both = load_recipe(
        str(recipe_file), preset="slow", data=mine, test_data=others, settings=["test.patients=3"]
    )
    assert both.test.model_dump() == {"use": "tiny", "source": str(others), "patients": 3}
    assert both.data.options == {"source": str(mine)}
