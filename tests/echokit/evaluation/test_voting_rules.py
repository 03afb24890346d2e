"""Voting rules compared: who votes, who is learned from, and what the figures are."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from echokit import DataError, Prediction, UsageError, resolve
from echokit.components.slots import subject_rule
from echokit.evaluation.metric_names import METRICS
from echokit.evaluation.metrics import scores
from echokit.evaluation.voting_rules import compare, subsets_of
from echokit.folder import RunFolder
from echokit.recipe import Slot, load_recipe
from echokit.runs.context import Run
from echokit.runs.fuse import step as fuse
from echokit.voting.subset_table import SubsetTable
from echokit.voting.table import PredictionTable
from echokit.voting.votes import vote_views

VIEWS = ("PLAX", "A4C", "PSAX-P")

CLASSES = {"severity": ("none", "mild", "moderate-severe")}

PLACE = {"task": "severity", "approach": "spatial"}

MAJORITY = partial(resolve, "aggregator", "majority-vote")

MEAN = partial(resolve, "aggregator", "mean-probability")

STACKING = partial(resolve, "aggregator", "stacking")


def clip(patient, view, label, predicted, confidence=0.8, split=0, classes=CLASSES["severity"]):
    p = np.full(3, 0.1)
    p[classes.index(predicted)] = 0.8
    return PLACE | {
        "level": "view",
        "split": split,
        "patient": patient,
        "view": view,
        "clip": f"{patient}-{view}",
        "start": -1,
        "label": label,
        "predicted": predicted,
        "confidence": confidence,
        "probabilities": p.tolist(),
    }


def population(splits=2, patients=30, seed=0):
    """Held-out and training predictions of patients who lack views, some with two clips of one."""
    rng = np.random.default_rng(seed)
    classes = CLASSES["severity"]
    rows = ([], [])
    truths = rng.permutation(np.arange(patients) % 3)
    for split in range(splits):
        for number in range(patients):
            truth = classes[truths[number]]
            views = [v for v in VIEWS if rng.random() < 0.7] or ["A4C"]
            for view in [*views, *views[: int(rng.integers(2))]]:
                p = rng.dirichlet(np.ones(3)) * 0.6
                p[classes.index(truth)] += 0.4
                predicted = classes[int(rng.choice(3, p=p))]
                row = clip(f"p{number:02d}", view, truth, predicted, rng.uniform(0.4, 1), split)
                rows[(number + split) % 3 > 0].append(row | {"probabilities": p.tolist()})
    return pd.DataFrame(rows[0]), pd.DataFrame(rows[1])


def run(predictions, crossfit=None, rules=None, **options):
    options = {"bootstrap": 0} | options
    rules = rules or {"majority-vote": MAJORITY}
    options = {"baseline": "majority-vote"} | options
    crossfit = PredictionTable(pd.DataFrame() if crossfit is None else crossfit)
    if "extra" in options:
        options["extra"] = SubsetTable(options["extra"])
    (one,) = compare(PredictionTable(predictions), crossfit, rules, CLASSES, VIEWS, **options)
    return one


class Spy:
    """A rule that learns nothing, keeps whom it was given, and votes for the majority."""

    made: list[Spy]

    def __init__(self) -> None:
        self.taught, self.asked = [], []
        self.made.append(self)

    def fit(self, votes, labels):
        self.taught = list(zip(votes, labels, strict=True))

    def __call__(self, votes):
        self.asked.append(votes)
        return MAJORITY()(votes)


@pytest.fixture
def spy():
    return type("OneSpy", (Spy,), {"made": []})


def test_every_rule_is_judged_on_every_subset_as_a_slow_loop_with_scikit_learn_judges():
    held_out, _ = population()
    got = run(held_out, rules={"majority-vote": MAJORITY, "mean-probability": MEAN})
    assert len(got.rows) == 2 * 7
    for row in got.rows:
        rule = {"majority-vote": MAJORITY, "mean-probability": MEAN}[row["method"]]()
        per_split, patients, n = [], set(), 0
        for _, split in held_out[held_out["view"].isin(row["views"])].groupby("split"):
            truth, predicted, probabilities = [], [], []
            for patient, own in split.groupby("patient"):
                ballot = [
                    (
                        c["view"],
                        Prediction(c["predicted"], c["confidence"], np.array(c["probabilities"])),
                    )
                    for c in own.to_dict("records")
                ]
                said = vote_views(ballot, CLASSES["severity"], rule)
                truth.append(CLASSES["severity"].index(own["label"].iloc[0]))
                predicted.append(CLASSES["severity"].index(said.label))
                probabilities.append(said.probabilities)
                patients.add(patient)
                n += 1
            found = scores(np.array(truth), np.array(predicted), np.stack(probabilities))
            per_split.append(found)
        assert (row["n_subjects"], row["n_predictions"], row["n_splits"]) == (len(patients), n, 2)
        for metric in METRICS:
            values = [s[metric] for s in per_split if s[metric] is not None]
            assert row[metric]["mean"] == pytest.approx(np.mean(values)), metric
            if len(values) == 2:
                assert row[metric]["sd"] == pytest.approx(np.std(values, ddof=1)), metric


def test_five_views_have_31_subsets_each_once():
    found = subsets_of(("a", "b", "c", "d", "e"))
    assert len(found) == len(set(found)) == 31
    assert sorted(map(len, found)) == [1] * 5 + [2] * 10 + [3] * 10 + [4] * 5 + [5]


def test_a_patient_without_a_view_of_the_subset_does_not_count():
    rows = [clip("a", "A4C", "none", "none"), clip("b", "PLAX", "mild", "mild")]
    counts = {tuple(r["views"]): r["n_subjects"] for r in run(pd.DataFrame(rows)).rows}
    expected = {("PLAX",): 1, ("A4C",): 1, ("PLAX", "A4C"): 2, ("PLAX", "PSAX-P"): 1}
    expected |= {("A4C", "PSAX-P"): 1, VIEWS: 2}
    assert counts == expected


def test_every_clip_of_a_view_votes():
    rows = [clip("a", "A4C", "mild", "none", 1.0)] + [clip("a", "PLAX", "mild", "mild", 0.5)] * 2
    by_views = {tuple(row["views"]): row["recall"]["mean"] for row in run(pd.DataFrame(rows)).rows}
    assert by_views[("PLAX", "A4C")] == 1


def test_the_truth_is_the_patients_label_or_else_the_most_severe_of_its_clips():
    rows = [
        clip("a", "A4C", "none", "mild"),
        clip("a", "PLAX", "mild", "mild"),
        clip("b", "A4C", "none", "moderate-severe"),
        clip("b", "MV-All", "moderate-severe", "none") | {"level": "subject"},
    ]
    (row,) = (r for r in run(pd.DataFrame(rows)).rows if r["views"] == ["A4C"])
    assert row["recall"]["mean"] == 1


def test_a_rule_that_learns_is_fitted_once_a_split_on_its_own_training_patients(spy):
    held_out, training = population()
    run(held_out, training, {"spy": spy})
    taught = [one for one in spy.made if one.taught]
    assert len(taught) == 2
    for split, one in enumerate(taught):
        mine = training[training["split"] == split]
        assert sum(len(votes.voters) for votes, _ in one.taught) == len(mine)
        assert [y for _, y in one.taught] == mine.groupby("patient")["label"].first().tolist()
        held = held_out[held_out["split"] == split]
        seen = {tuple(p) for votes in one.asked for p in votes.probabilities.tolist()}
        assert seen == set(map(tuple, held["probabilities"]))


def test_held_out_labels_change_no_prediction():
    held_out, training = population()
    mirror = dict(zip(CLASSES["severity"], CLASSES["severity"][::-1], strict=True))
    said, rows = [], []
    for frame in (held_out, held_out.assign(label=held_out["label"].map(mirror))):
        outputs = []

        class Kept(type(STACKING())):
            def __call__(self, votes, outputs=outputs):
                outputs.append(super().__call__(votes).probabilities.tolist())
                return super().__call__(votes)

        rows.append(run(frame, training, {"stacking": Kept}).rows)
        said.append(outputs)
    assert said[0] == said[1] != []
    assert rows[0] != rows[1]


def test_without_inner_networks_what_learns_is_left_out_with_the_reason():
    held_out, training = population()
    rules = {"majority-vote": MAJORITY, "stacking": STACKING}
    for few in (None, training[training["split"] == 0]):
        got = run(held_out, few, rules)
        assert {row["method"] for row in got.rows} == {"majority-vote"}
        (left_out,) = got.skipped
        assert left_out["method"] == "stacking"
        assert "crossfit.folds=2" in left_out["reason"]


def test_a_patient_on_both_sides_is_refused():
    held_out, training = population()
    with pytest.raises(DataError, match=r"Patient p00 is held out by split 0 and also a training"):
        run(held_out, pd.concat([training, held_out[held_out["patient"] == "p00"]]))


def fused(held_out, views=VIEWS, key="+".join):
    """Predictions of a network over all views, right for everybody."""
    rows = []
    for (split, patient), own in held_out.groupby(["split", "patient"]):
        for size in range(1, 4):
            for subset in combinations(views, size):
                if set(subset) & set(own["view"]):
                    label = own["label"].iloc[0]
                    p = np.eye(3)[CLASSES["severity"].index(label)]
                    said = {"label": label, "predicted": label, "confidence": 1.0}
                    who = {"split": split, "patient": patient, "probabilities": p.tolist()}
                    rows.append(
                        PLACE | {"method": "feature-fusion", "views": key(subset)} | said | who
                    )
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("views", "key"), [(VIEWS, "+".join), (VIEWS[::-1], "+".join), (VIEWS, list), (VIEWS, tuple)]
)
def test_what_another_method_said_stands_beside_the_rules(views, key):
    held_out, _ = population()
    got = run(held_out, extra=fused(held_out, views, key), bootstrap=100)
    rows = [row for row in got.rows if row["method"] == "feature-fusion"]
    assert [row["views"] for row in rows] == [r["views"] for r in got.rows if r not in rows]
    assert {row["f1"]["mean"] for row in rows} == {1.0}
    assert (got.summary["winner"], got.summary["winner_is_clear"]) == ("feature-fusion", True)
    assert got.skipped == ()


def test_another_method_that_judges_other_patients_is_left_out_with_the_reason():
    held_out, _ = population()
    got = run(held_out, extra=fused(held_out)[5:])
    assert {row["method"] for row in got.rows} == {"majority-vote"}
    assert "the same patients can be compared" in got.skipped[0]["reason"]


def test_rules_that_agree_lead_by_nothing_and_the_paper_is_named():
    held_out, _ = population()
    got = run(held_out, rules={"same": MAJORITY, "majority-vote": MAJORITY}, bootstrap=50)
    (same, _) = got.summary["methods"]
    nothing = {"mean": 0.0, "ci95": [0.0, 0.0], "ci95_together": [0.0, 0.0]}
    assert same["lead"] == nothing | {"excludes_zero": False}
    assert (got.summary["winner"], got.summary["winner_is_clear"]) == ("majority-vote", False)


def test_without_the_papers_rule_there_is_no_lead():
    held_out, _ = population()
    got = run(held_out, rules={"mean-probability": MEAN}, bootstrap=50)
    assert got.summary["methods"][0]["lead"] is None
    assert (got.summary["winner"], got.summary["winner_is_clear"]) == ("mean-probability", False)


def test_the_mean_over_subsets_is_by_number_of_views():
    held_out, _ = population()
    got = run(held_out)
    (method,) = got.summary["methods"]
    assert list(method["by_size"]) == ["1", "2", "3"]
    for size, means in method["by_size"].items():
        f1 = [row["f1"]["mean"] for row in got.rows if len(row["views"]) == int(size)]
        assert means["f1"] == pytest.approx(np.mean(f1))
    assert method["all_views"]["f1"] == got.rows[-1]["f1"]


@pytest.fixture
def finished(tmp_path):
    """A run's folder with predictions of two splits, and its recipe."""
    held_out, training = population()
    held_out.to_parquet(tmp_path / "predictions.parquet")
    training.to_parquet(tmp_path / "crossfit.parquet")
    recipe = load_recipe(
        "ph-newborn", settings=["views.use=['PLAX', 'A4C', 'PSAX-P']", "evaluate.bootstrap=20"]
    )
    study = SimpleNamespace(
        labelled={"severity": SimpleNamespace(classes=CLASSES["severity"])},
        classes_by_task=CLASSES,
        cohort=SimpleNamespace(synthetic=True),
    )
    return Run(recipe, RunFolder(tmp_path), study)


def test_a_run_writes_every_rule_of_its_recipe(finished):
    recipe, folder = finished.recipe, finished.folder
    said = fuse(finished)
    document = json.loads((folder.path / "fusion.json").read_text())
    assert (document["schema"], document["synthetic"]) == (1, True)
    assert {row["method"] for row in document["rows"]} == set(recipe.fusion)
    assert len(document["rows"]) == 7 * len(recipe.fusion)
    (summary,) = document["summary"]
    assert {m["method"] for m in summary["methods"] if m["learned"]} == {"stacking", "attention"}
    assert (summary["n_training_subjects"], summary["n_training_ballots"]) == (30, 40)
    assert document["skipped"] == []
    assert said == "6 rules on 7 subsets of views"


def test_a_run_without_inner_networks_says_what_it_leaves_out(finished):
    folder = finished.folder
    (folder.path / "crossfit.parquet").unlink()
    assert fuse(finished).endswith(", 2 left out")
    document = json.loads((folder.path / "fusion.json").read_text())
    assert {one["method"] for one in document["skipped"]} == {"stacking", "attention"}


def test_a_run_takes_in_networks_over_all_views(finished):
    recipe, folder = finished.recipe, finished.folder
    extra = fused(pd.read_parquet(folder.predictions))
    extra.to_parquet(folder.path / "fusion.parquet")
    fuse(finished)
    document = json.loads((folder.path / "fusion.json").read_text())
    methods = document["summary"][0]["methods"]
    assert [m["method"] for m in methods] == [*recipe.fusion, "feature-fusion"]
    assert methods[-1]["all_views"]["f1"]["mean"] == 1


def test_a_recipe_that_compares_nothing_leaves_nothing(finished):
    recipe, folder = finished.recipe, finished.folder
    (folder.path / "fusion.json").write_text("of an earlier attempt")
    said = fuse(replace(finished, recipe=recipe.model_copy(update={"fusion": {}})))
    assert said == "nothing asked"
    assert not (folder.path / "fusion.json").exists()


def test_a_learned_rule_can_be_the_one_that_a_run_votes_by():
    _, training = population()
    one = training[training["split"] == 0]
    rule = subject_rule(Slot(use="stacking"), CLASSES["severity"], lambda: PredictionTable(one))
    sure = [("A4C", Prediction("mild", 1.0, np.array([0.01, 0.98, 0.01])))]
    assert vote_views(sure, CLASSES["severity"], rule).label == "mild"
    assert rule.names == tuple(sorted(VIEWS))


def test_a_rule_that_learns_nothing_needs_no_training_patients():
    rule = subject_rule(Slot(use="majority-vote"), CLASSES["severity"], lambda: pytest.fail("read"))
    assert vote_views([("A4C", Prediction("mild", 1.0, np.eye(3)[1]))], CLASSES["severity"], rule)


def test_a_learned_rule_without_training_patients_says_what_to_type():
    with pytest.raises(UsageError, match=r"'stacking' cannot be fitted.*--set crossfit\.folds=2"):
        subject_rule(
            Slot(use="stacking"), CLASSES["severity"], lambda: PredictionTable(pd.DataFrame())
        )
