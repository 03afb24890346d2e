"""What a run fitted: label sets against crepes, temperatures, votes of every set of views."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echokit import Prediction
from echokit.evaluation.calibration import apply_temperature, fit_temperature
from echokit.evaluation.conformal import label_sets
from echokit.evaluation.fitted import (
    LEVEL,
    Fitted,
    Reference,
    fit_predictions,
    mean_of_views,
    set_name,
)
from echokit.voting.table import Place, PredictionTable, Row

CLASSES = ("none", "mild", "severe")


def shares(rng, n):
    return rng.dirichlet(np.ones(3), n)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 60), st.booleans(), st.sampled_from([0.8, 0.9]))
def test_label_sets_are_those_of_crepes(seed, n, by_label, level):
    rng = np.random.default_rng(seed)
    known, truth = shares(rng, n).round(2), rng.integers(0, 3, n)
    if by_label and len(set(truth)) < 3:
        return
    asked = shares(rng, 8).round(2)
    scores = 1 - known[np.arange(n), truth]
    groups = [scores[truth == label] for label in range(3)] if by_label else [scores]
    reference = Reference(tuple(tuple(map(float, group)) for group in groups))
    expected = label_sets(known, truth, asked, level, by_label)
    for row, held in zip(asked, expected, strict=True):
        assert reference.label_set(row, level) == tuple(np.flatnonzero(held))


def table(rng, patients=12, views=("A4C", "PLAX"), without=()):
    rows = []
    for number in range(patients):
        label = CLASSES[number % 3]
        for view in views:
            if (number, view) in without:
                continue
            place, clip = Place("severity", "spatial", view, 0), f"{number}-{view}"
            of_sequences = shares(rng, 4)
            for start, row in enumerate(of_sequences):
                won = Prediction(CLASSES[row.argmax()], float(row.max()), row)
                rows.append(Row("sequence", place, f"p{number}", label, won, clip, start))
            mean = of_sequences.mean(axis=0)
            won = Prediction(CLASSES[mean.argmax()], float(mean.max()), mean)
            rows.append(Row("view", place, f"p{number}", label, won, clip))
    return PredictionTable.of(rows)


def test_each_view_gets_the_temperature_of_its_sequences_and_every_set_a_reference():
    rng = np.random.default_rng(1)
    training = table(rng, without={(0, "PLAX")})
    fitted = fit_predictions(training, CLASSES, mean_of_views)
    own = training.sequences.where(view="A4C")
    expected = fit_temperature(own.probabilities, own.truth(CLASSES))
    assert fitted.temperatures["A4C"] == pytest.approx(expected)
    assert set(fitted.view_sets) == {"A4C", "PLAX", "A4C+PLAX"}
    sizes = {name: len(one.scores[0]) for name, one in fitted.view_sets.items()}
    assert sizes == {"A4C": 12, "PLAX": 11, "A4C+PLAX": 11}, "patients with all views of the set"
    sequences = shares(rng, 5)
    tempered, held = fitted.of_clip("A4C", sequences)
    np.testing.assert_allclose(tempered, apply_temperature(sequences, expected).mean(0))
    assert held == fitted.views["A4C"].label_set(sequences.mean(0), LEVEL)


def test_scores_of_a_set_are_those_of_the_vote():
    training = table(np.random.default_rng(2))
    fitted = fit_predictions(training, CLASSES, mean_of_views)
    scores = []
    for number in range(12):
        both = training.views.where(patient=f"p{number}").probabilities.mean(axis=0)
        scores.append(1 - both[number % 3])
    assert fitted.view_sets[set_name(["PLAX", "A4C"])].scores[0] == pytest.approx(sorted(scores))


def test_without_cross_fitting_nothing_is_fitted_and_an_unknown_view_gets_nothing():
    import pandas as pd

    nothing = fit_predictions(PredictionTable(pd.DataFrame()), CLASSES, mean_of_views)
    assert nothing.of_clip("A4C", np.full((2, 3), 1 / 3)) == (None, None)
    assert nothing.of_subject(["A4C"], np.full(3, 1 / 3)) is None


def test_it_is_read_back_from_json():
    fitted = fit_predictions(table(np.random.default_rng(3), 75), CLASSES, mean_of_views)
    assert len(fitted.views["A4C"].scores) == 3, "enough patients of each label: sets by label"
    again = Fitted.from_json(json.loads(json.dumps(fitted.as_json())))
    assert again == fitted
