"""Label sets: their frequency on exchangeable data, NumPy's quantile as oracle, a run's file."""

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from echokit import SupportsFit
from echokit.evaluation.conformal import enough_by_label, evaluate_sets, label_sets
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs.calibrate import step as calibrate
from echokit.runs.context import Run
from echokit.types import Prediction
from echokit.voting.table import Place, PredictionTable, Row

CLASSES = ("none", "severe")


def drawn(rng, n, prevalence=(0.6, 0.3, 0.1), skill=1.2):
    """Probabilities of a network that is sure of itself beyond its skill, and shuns rare labels."""
    truth = rng.choice(len(prevalence), n, p=prevalence)
    logits = rng.normal(0, 1, (n, len(prevalence))) + skill * np.eye(len(prevalence))[truth]
    logits += np.log(prevalence)
    return softmax(3 * logits, axis=1), truth


@pytest.mark.parametrize("level", [0.9, 0.8])
def test_sets_hold_the_true_label_as_often_as_they_should(level):
    rng = np.random.default_rng(0)
    coverages = []
    for _ in range(25):
        (known, truth), (new, answer) = drawn(rng, 300), drawn(rng, 150)
        sets = label_sets(known, truth, new, level)
        coverages.append(sets[np.arange(150), answer].mean())
    assert np.mean(coverages) == pytest.approx(level, abs=0.02)  # 0.008 by chance


def test_by_label_a_rare_label_is_held_as_often_as_the_others():
    rng = np.random.default_rng(1)
    (known, truth), (new, answer) = drawn(rng, 4000), drawn(rng, 4000)
    together = evaluate_sets(label_sets(known, truth, new, 0.9), answer, "abc")
    apart = evaluate_sets(label_sets(known, truth, new, 0.9, by_label=True), answer, "abc")
    assert min(apart["coverage_by_label"].values()) > 0.86
    assert together["coverage_by_label"]["c"] < 0.8  # which is what it is for


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 23, 57, 114]), st.booleans())
def test_a_label_is_left_out_where_its_score_is_beyond_the_quantile(seed, n, by_label):
    rng = np.random.default_rng(seed)
    (known, truth), (new, _) = drawn(rng, n), drawn(rng, 10)
    sets = label_sets(known, truth, new, 0.9, by_label)
    for label in range(3):
        scores = 1 - known[np.arange(n), truth][(truth == label) | (not by_label)]
        scores = np.append(scores, np.inf)  # the new one's, which may be any
        if len(scores) % 10:  # else a score lies on the quantile itself
            limit = np.quantile(scores, 0.9, method="inverted_cdf")
            np.testing.assert_array_equal(sets[:, label], 1 - new[:, label] <= limit)


def test_too_few_to_calibrate_on_leave_no_label_out():
    rng = np.random.default_rng(2)
    (known, truth), (new, _) = drawn(rng, 8), drawn(rng, 20)
    assert label_sets(known, truth, new, 0.9).all()
    assert label_sets(known[:0], truth[:0], new, 0.9, by_label=True).all()


def test_a_higher_level_leaves_out_no_more_labels():
    rng = np.random.default_rng(3)
    (known, truth), (new, _) = drawn(rng, 100), drawn(rng, 100)
    assert (label_sets(known, truth, new, 0.8) <= label_sets(known, truth, new, 0.9)).all()


@pytest.mark.parametrize(("level", "least"), [(0.9, 20), (0.8, 10)])
def test_labels_are_calibrated_apart_where_each_has_enough(level, least):
    truth = np.repeat([0, 1], [50, least])
    assert enough_by_label(truth, 2, level)
    assert not enough_by_label(truth[:-1], 2, level)
    assert not enough_by_label(truth, 3, level)


def test_what_sets_leave_open_is_counted():
    sets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], bool)
    found = evaluate_sets(sets, np.array([0, 1, 1, 0]), ("a", "b", "c"))
    assert found["coverage"] == 0.5
    assert found["coverage_by_label"] == {"a": 0.5, "b": 0.5, "c": None}
    assert (found["size"], found["single"], found["empty"]) == (1.0, 0.5, 0.25)
    assert found["single_right"] == 0.5


def test_the_filter_of_warnings_is_left_as_it_was():
    before = list(warnings.filters)
    label_sets(np.array([[0.5, 0.5]]), np.array([0]), np.array([[0.5, 0.5]]), 0.9)
    assert list(warnings.filters) == before


def rows_of(rng, patients, splits, factor, subjects):
    """Rows of predictions, as the stages write them, that are too sure by `factor`."""
    for split in splits:
        for patient, label in patients.items():
            truth = CLASSES.index(label)
            views = []
            for view in ("A4C", "PLAX"):
                logits = rng.normal(0, 1.2, 2) + np.eye(2)[truth]  # sequences of a clip are alike
                p = softmax(factor * (logits + rng.normal(0, 0.1, (5, 2))), axis=1)
                place = Place("severity", "spatio-temporal", view, split)
                clip = f"{patient}-{view}"
                for start, one in enumerate(p):
                    said = Prediction(CLASSES[one.argmax()], float(one.max()), one)
                    yield Row("sequence", place, patient, label, said, clip, start)
                mean = p.mean(0)
                said = Prediction(CLASSES[mean.argmax()], float(mean.max()), mean)
                views.append(said)
                yield Row("view", place, patient, label, said, clip)
            if subjects:
                p = np.mean([said.probabilities for said in views], axis=0)
                said = Prediction(CLASSES[p.argmax()], float(p.max()), p)
                place = Place("severity", "spatio-temporal", "MV-2", split)
                yield Row("subject", place, patient, label, said)


@pytest.fixture
def finished(tmp_path, tiny_plugin):
    """A run that is predicted but not calibrated, and what it was of."""
    rng = np.random.default_rng(5)
    labels = {f"p{i}": CLASSES[int(i % 3 == 0)] for i in range(120)}
    held, training = (dict(list(labels.items())[s]) for s in (slice(40), slice(40, 120)))
    recipe = load_recipe("tiny-study")
    folder = RunFolder.create(tmp_path / "run", recipe)
    study = SimpleNamespace(
        labelled={"severity": SimpleNamespace(classes=CLASSES, patients=labels)},
        cohort=SimpleNamespace(synthetic=True),
    )
    for file, who, subjects in (("predictions", held, True), ("crossfit", training, False)):
        table = PredictionTable.of(rows_of(rng, who, (0, 1), 3.0, subjects))
        table.write(folder.path / f"{file}.parquet")
    return Run(recipe, folder, study)


def calibrated(run):
    assert calibrate(run)
    document = json.loads((run.folder.path / "calibration.json").read_text())
    return document, {row["views"]: row for row in document["rows"]}


def fitted(rows):
    """Everything in the document that rests on what was fitted, but not on held-out labels."""
    return {
        views: (
            row["tempered"]["temperature"],
            [bin["confidence"] for bin in row["tempered"]["reliability"]],
            [(s["by_label"], s["size"], s["single"], s["empty"]) for s in row["conformal"]],
        )
        for views, row in rows.items()
    }


def test_the_file_has_a_row_for_each_view_and_set_and_says_what_it_is_of(finished):
    document, rows = calibrated(finished)
    assert (document["schema"], document["synthetic"]) == (1, True)
    assert list(rows) == ["A4C", "PLAX", "MV-2"]
    for found in rows.values():
        assert (found["n_subjects"], found["n_predictions"], found["n_splits"]) == (40, 80, 2)
        assert found["selective"]["error"] == pytest.approx(1 - found["selective"]["accuracy"][-1])
        assert [s["level"] for s in found["conformal"]] == [0.9, 0.8]
        assert all(s["coverage"] > s["level"] - 0.1 for s in found["conformal"])


def test_a_temperature_mends_probabilities_that_are_too_sure(finished):
    _, rows = calibrated(finished)
    for view in ("A4C", "PLAX"):
        tempered, raw = rows[view]["tempered"], rows[view]["raw"]
        assert tempered["temperature"]["mean"] > 1.5
        for score in ("brier", "nll", "ece"):
            assert tempered[score]["mean"] < raw[score]["mean"]


def test_held_out_labels_change_nothing_that_is_fitted(finished):
    run, study, folder = finished, finished.population, finished.folder
    _, before = calibrated(run)
    table = pd.read_parquet(folder.predictions)
    table["label"] = table["label"].map(dict(zip(CLASSES, CLASSES[::-1], strict=True)))
    table.to_parquet(folder.predictions, index=False)
    flipped = {
        p: CLASSES[1 - CLASSES.index(label)]
        for p, label in list(study.labelled["severity"].patients.items())[:40]
    }
    study.labelled["severity"].patients.update(flipped)
    _, after = calibrated(run)
    assert fitted(after) == fitted(before)
    assert all(after[v]["raw"]["brier"] != before[v]["raw"]["brier"] for v in before)


def test_training_labels_do_change_what_is_fitted(finished):
    run, folder = finished, finished.folder
    _, before = calibrated(run)
    path = folder.path / "crossfit.parquet"
    table = pd.read_parquet(path)
    table["label"] = "none"
    table.to_parquet(path, index=False)
    _, after = calibrated(run)
    assert all(fitted(after)[view] != fitted(before)[view] for view in ("A4C", "PLAX"))


def test_without_cross_fitting_there_is_neither_temperature_nor_set_and_it_says_why(finished):
    run, folder = finished, finished.folder
    _, before = calibrated(run)
    (folder.path / "crossfit.parquet").unlink()
    document, rows = calibrated(run)
    assert all(row["tempered"] is None and row["conformal"] is None for row in rows.values())
    assert all(rows[view]["raw"] == before[view]["raw"] for view in rows)
    assert ["crossfit.folds is 0" in note for note in document["notes"]] == [True]


def test_a_view_without_training_predictions_has_no_sets_and_nor_has_its_set(finished):
    run, folder = finished, finished.folder
    path = folder.path / "crossfit.parquet"
    table = pd.read_parquet(path)
    table[table["view"] == "A4C"].to_parquet(path, index=False)
    document, rows = calibrated(run)
    assert [rows[v]["tempered"] is None for v in ("A4C", "PLAX", "MV-2")] == [False, True, True]
    assert rows["PLAX"]["conformal"] is None
    assert any("PLAX" in note for note in document["notes"])


def test_a_voting_rule_that_learns_is_replaced_by_the_mean_and_it_says_so(finished, monkeypatch):
    class Learner:
        def fit(self, votes, labels): ...

        def __call__(self, votes):
            raise AssertionError("it was never fitted")

    assert isinstance(Learner(), SupportsFit)
    monkeypatch.setattr("echokit.runs.calibrate.make_aggregator", lambda slot: Learner())
    document, rows = calibrated(finished)
    assert rows["MV-2"]["tempered"]["temperature"] is None
    assert any("mean of the views" in note for note in document["notes"])
