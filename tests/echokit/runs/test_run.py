"""A whole run of the tiny study: what it leaves, how it goes on, and whom it judges."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.system.digests import DamageWarning

pytestmark = pytest.mark.usefixtures("tiny_plugin")

STAGES = [
    *("cohort", "prepare", "train", "crossfit", "predict"),
    *("fuse", "evaluate", "calibrate", "novelty", "explain", "report"),
]


def begin(path, *settings):
    recipe = load_recipe("tiny-study", settings=["train.n=1", "explain=false", *settings])
    return recipe, RunFolder.create(path, recipe)


@pytest.fixture
def done(tmp_path):
    recipe, folder = begin(tmp_path / "runs" / "one")
    carry_out(recipe, folder)
    return folder


def models(folder):
    return {path: path.read_bytes() for path in folder.models.rglob("*.safetensors")}


def test_a_run_leaves_every_result_and_says_that_it_is_synthetic(done):
    state = json.loads((done.path / "run.json").read_text())
    assert [row["name"] for row in state["stages"]] == STAGES
    assert all(row["done"] for row in state["stages"])
    assert state["finished"]
    assert state["synthetic"] is True
    metrics = json.loads((done.path / "metrics.json").read_text())
    assert metrics["synthetic"] is True
    assert {row["views"] for row in metrics["rows"]} == {"A4C", "PLAX", "MV-2"}
    assert {row["n_splits"] for row in metrics["rows"]} == {2}
    assert len(models(done)) == 4, "two views, two splits"
    assert (done.path / "report" / "index.html").is_file()


def test_subjects_whose_views_disagree_are_marked_and_counted(tmp_path):
    recipe, folder = begin(tmp_path / "runs" / "one", "aggregate.abstain.agreement=1")
    carry_out(recipe, folder)
    table = pd.read_parquet(folder.predictions)
    views = table[table["level"] == "view"].groupby(["split", "patient"])["predicted"].nunique()
    subjects = table[table["level"] == "subject"].set_index(["split", "patient"])["abstained"]
    assert subjects.to_dict() == (views > 1).map({True: "views-disagree", False: ""}).to_dict()
    assert set(table.loc[table["level"] != "subject", "abstained"]) == {""}
    rows = json.loads((folder.path / "metrics.json").read_text())["rows"]
    [figures] = [row["abstention"] for row in rows if "abstention" in row]
    assert sum(figures["reasons"].values()) == (views > 1).sum()
    coverage = (subjects == "").groupby("split").mean().mean()
    assert figures["coverage"]["mean"] == pytest.approx(coverage)


def test_only_held_out_patients_are_judged(done):
    cohort = pd.read_csv(done.path / "cohort.csv", dtype=str).set_index("clip")
    judged = pd.read_parquet(done.predictions)
    assert set(judged["level"]) == {"sequence", "view", "subject"}
    for split in (0, 1):
        side = cohort.groupby("patient")[f"severity_split_{split:02d}"].agg(set)
        assert all(len(sides) == 1 for sides in side)
        held_out = {patient for patient, sides in side.items() if sides == {"test"}}
        assert set(judged["patient"][judged["split"] == split]) == held_out


def test_every_view_prediction_rests_on_n_sequences(done):
    judged = pd.read_parquet(done.predictions)
    singles = judged[judged["level"] == "sequence"].groupby(["split", "view", "clip"]).size()
    assert set(singles) == {3}
    assert len(singles) == (judged["level"] == "view").sum()


def test_a_finished_run_gone_on_with_trains_nothing_again(done, monkeypatch):
    before = models(done)
    monkeypatch.setattr("echokit.networks.train.train", lambda *a: pytest.fail("trained again"))
    folder = RunFolder.open(done.path)
    carry_out(folder.recipe(), folder)
    assert models(done) == before


def test_a_run_gone_on_with_trains_what_is_missing_and_gets_the_same_networks(done):
    before = models(done)
    for path in list(before)[:2]:
        path.unlink()
    metrics = (done.path / "metrics.json").read_text()
    folder = RunFolder.open(done.path)
    carry_out(folder.recipe(), folder)
    assert models(done) == before
    assert (done.path / "metrics.json").read_text() == metrics


def test_another_voting_rule_in_a_run_gone_on_with_is_counted_with_the_same_networks(
    done, monkeypatch
):
    before = pd.read_parquet(done.predictions)
    saved = done.path / "recipe.toml"
    saved.write_text(saved.read_text().replace("n = 3", "n = 2"))
    monkeypatch.setattr("echokit.networks.train.train", lambda *a: pytest.fail("trained again"))
    folder = RunFolder.open(done.path)
    with pytest.warns(DamageWarning, match=r"recipe\.toml was changed since the run was made"):
        carry_out(folder.recipe(), folder)
    after = pd.read_parquet(done.predictions)
    assert (after["level"] == "sequence").sum() * 3 == (before["level"] == "sequence").sum() * 2


def test_two_runs_of_one_recipe_are_the_same_and_share_the_prepared_clips(done, parts):
    parts.TinyLoader.reads.clear()
    recipe, folder = begin(done.path.parent / "two")
    carry_out(recipe, folder)
    assert not parts.TinyLoader.reads
    a, b = (pd.read_parquet(f.predictions) for f in (done, folder))
    pd.testing.assert_frame_equal(a, b)
    assert (done.path / "metrics.json").read_text() == (folder.path / "metrics.json").read_text()


def test_networks_that_learned_from_other_patients_are_not_kept_when_the_data_changed(
    tmp_path, parts, monkeypatch
):
    """Else a patient who moved to the held-out side would be judged by who learned from him."""
    recipe, folder = begin(tmp_path / "runs" / "one")
    carry_out(recipe, folder)
    before = models(folder)
    index = parts.TinyLoader.index
    monkeypatch.setattr(
        parts.TinyLoader, "index", lambda self: (r for r in index(self) if "p00" not in repr(r))
    )
    folder = RunFolder.open(folder.path)
    carry_out(folder.recipe(), folder)
    assert all(blob != before[path] for path, blob in models(folder).items())
    assert "p00" not in set(pd.read_parquet(folder.predictions)["patient"])


def test_an_approach_of_other_frames_stands_beside_the_usual_one(tmp_path):
    settings = [
        "approaches.longer={k=6}",
        "approaches.usual={}",
        "split.splits=1",
        "views.use=['A4C']",
    ]
    recipe, folder = begin(tmp_path / "runs" / "one", *settings)
    carry_out(recipe, folder)
    rows = json.loads((folder.path / "metrics.json").read_text())["rows"]
    assert {row["approach"] for row in rows} == {"longer", "usual"}
    for approach, k in (("longer", 6), ("usual", 4)):
        described = folder.models / "severity" / approach / "A4C" / "split-00.json"
        assert json.loads(described.read_text())["input_shape"] == [1, k, 16, 16]
