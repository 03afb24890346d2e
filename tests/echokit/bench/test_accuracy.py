"""`echokit bench accuracy`: trained once, identical splits, resumable, one result format."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from echokit.bench import accuracy
from echokit.bench.accuracy import train_all, vote_again
from echokit.bench.leaderboard import write_leaderboard
from echokit.bench.suite import Suite, slots
from echokit.errors import PluginError, UsageError
from echokit.recipe import Slot
from echokit.system.progress import Silent


@pytest.fixture
def suite(tiny_plugin, recipe_file, parts) -> Suite:
    """Two widths of the tiny network, a rule and one that learns, an explainer, two seeds."""
    from echokit import hookimpl

    class Learners:
        @hookimpl
        def register_aggregators(self, register: Any) -> None:
            register("tiny-learner", parts.TinyLearner)

    tiny_plugin.add(Learners(), "echokit-learn:learn", "1.0")
    return Suite(
        recipe=str(recipe_file),
        preset="fast",
        seeds=2,
        backbone={
            "narrow": Slot(use="tiny3d", width=2),
            "wide": Slot(use="tiny3d", width=6),
        },
        aggregator=slots(["tiny-vote", "tiny-learner"]),
        explainer=slots(["tiny-map"]),
    )


@pytest.fixture
def bench(suite, once, tmp_path) -> Path:
    """The folder of a benchmark whose networks are trained, for a test to change."""
    made = once("bench-accuracy", lambda folder: train_all(suite, folder, Silent()))
    return shutil.copytree(made, tmp_path / "bench")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts networks trained and predictions made."""
    from echokit.networks import train
    from echokit.runs import predict

    seen: Counter[str] = Counter()
    learn, vote = train.train, predict.vote_clips

    def counted(job: Any, *rest: Any) -> None:
        seen[f"train {job.fold is None}"] += 1
        learn(job, *rest)

    def voted(*arguments: Any, **options: Any) -> Any:
        seen["predict"] += 1
        return vote(*arguments, **options)

    monkeypatch.setattr(train, "train", counted)
    monkeypatch.setattr(predict, "vote_clips", voted)
    return seen


def test_networks_are_trained_and_predict_once_for_every_rule(suite, tmp_path, trainings):
    runs = train_all(suite, tmp_path, Silent())
    # 2 backbones, 2 seeds, 2 splits, 2 views
    assert trainings["train True"] == 16
    before = dict(trainings)
    write_leaderboard(suite, runs, tmp_path, Silent())
    train_all(suite, tmp_path, Silent())
    assert dict(trainings) == before


def test_the_leaderboard_holds_every_pair_on_the_same_subjects(suite, bench):
    page = write_leaderboard(suite, train_all(suite, bench, Silent()), bench, Silent())
    result = json.loads((bench / "accuracy.json").read_text())
    assert (result["kind"], result["schema"], result["synthetic"]) == ("accuracy", 1, True)
    rows = result["leaderboard"]
    pairs = {(row["backbone"], row["aggregator"]) for row in rows}
    assert len(rows) == len(pairs) == 4
    assert len({(row["n_subjects"], row["n_predictions"], row["n_splits"]) for row in rows}) == 1
    assert rows[0]["n_splits"] == 4
    assert [row["f1"]["mean"] for row in rows] == sorted(
        (row["f1"]["mean"] for row in rows), reverse=True
    )
    (baseline,) = [row for row in rows if row["lead"] is None]
    assert (baseline["backbone"], baseline["aggregator"]) == ("narrow", "tiny-vote")
    assert {row["explainer"] for row in result["explainers"]} == {"tiny-map"}
    assert [row["parameters"] for row in result["costs"]] == sorted(
        row["parameters"] for row in result["costs"]
    )
    assert all(row["multiply_adds"] > 0 for row in result["costs"])
    for path in (page, bench / "accuracy.md"):
        text = path.read_text("utf-8")
        assert "Synthetic cohort" in text
        assert "tiny-learner" in text
    with (bench / "accuracy-leaderboard.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 4
    priced = {line["backbone"]: line["cost.parameters"] for line in lines}
    assert priced == {row["backbone"]: str(row["parameters"]) for row in result["costs"]}
    assert "http" not in page.read_text("utf-8").replace("http-equiv", "")


def test_voting_again_by_the_recipes_own_rule_gives_the_runs_own_predictions(suite, bench):
    one = train_all(suite, bench, Silent())[0]
    again = vote_again(one, "tiny-vote", Slot(use="tiny-vote")).set_index(["split", "patient"])
    table = pd.read_parquet(one.folder.predictions)
    own = table[table["level"] == "subject"].set_index(["split", "patient"])
    assert len(own) == len(again)
    assert own["predicted"].to_dict() == again["predicted"].to_dict()
    assert own["label"].to_dict() == again["label"].to_dict()
    assert own["confidence"].to_dict() == pytest.approx(again["confidence"].to_dict())


def test_a_stopped_benchmark_goes_on_where_it_was(suite, tmp_path, trainings, monkeypatch):
    carry_out, done = accuracy.carry_out, []

    def stopping(recipe: Any, folder: Any, progress: Any) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        carry_out(recipe, folder, progress)
        done.append(folder)

    monkeypatch.setattr(accuracy, "carry_out", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_all(suite, tmp_path, Silent())
    monkeypatch.setattr(accuracy, "carry_out", carry_out)
    assert len(train_all(suite, tmp_path, Silent())) == 4
    assert trainings["train True"] == 16


def test_an_explainer_with_other_options_is_tried_anew(suite, bench, monkeypatch):
    runs, asked = train_all(suite, bench, Silent())[:1], []
    explain = accuracy.explain_into

    def counted(run: Any, out: Any) -> str:
        asked.append(run.recipe.explain.options)
        return explain(run, out)

    monkeypatch.setattr(accuracy, "explain_into", counted)
    for options in ({}, {}, {"power": 2.0}):
        result = accuracy.check_explainer(runs[0], "map", Slot(use="tiny-map", **options))
        assert (result.backbone, result.explainer) == (runs[0].backbone, "map")
        assert 0 <= result.passed <= result.maps > 0
    assert asked == [{}, {"power": 2.0}]


@pytest.mark.parametrize("text", ["backbone.width=4", "explain=tiny-map"])
def test_a_setting_that_would_be_lost_is_refused(suite, tmp_path, text):
    with pytest.raises(UsageError, match="would have no effect"):
        train_all(suite.model_copy(update={"settings": (text,)}), tmp_path, Silent())
    assert not (tmp_path / "out").exists()


def test_another_suite_in_the_same_folder_is_refused(suite, bench):
    train_all(suite, bench, Silent())
    other = suite.model_copy(update={"settings": ("sequences.n=4",)})
    with pytest.raises(UsageError, match="belongs to another suite"):
        train_all(other, bench, Silent())


def test_other_splits_of_one_backbone_are_refused(suite, bench):
    runs = train_all(suite, bench, Silent())
    cohort = runs[1].folder.path / "cohort.csv"
    cohort.write_text(cohort.read_text().replace(",test", ",train", 1))
    with pytest.raises(UsageError, match="other clips or splits"):
        accuracy._check_splits(runs)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backbone": slots(["tiny3"])}, "did you mean 'tiny3d'"),
        ({"aggregator": {"vote": Slot(use="tiny-vote", wieght=2)}}, "did you mean 'weight'"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_made(suite, tmp_path, changes, says):
    with pytest.raises(PluginError, match=says):
        train_all(suite.model_copy(update=changes), tmp_path / "out", Silent())
    assert not (tmp_path / "out").exists()
