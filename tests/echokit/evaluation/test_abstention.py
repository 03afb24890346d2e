"""Coverage and accuracy with abstaining, against counts of another make."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echokit.evaluation.abstention import abstention_figures
from echokit.evaluation.metrics import evaluate
from echokit.voting.table import PredictionTable


def table(rows):
    """Subjects of (split, patient, is right, reason)."""
    return PredictionTable(
        pd.DataFrame(
            {
                "level": "subject",
                "task": "binary",
                "approach": "spatial",
                "view": "MV-2",
                "split": [row[0] for row in rows],
                "patient": [row[1] for row in rows],
                "label": "none",
                "predicted": ["none" if row[2] else "PH" for row in rows],
                "confidence": 0.8,
                "probabilities": [[0.6, 0.4]] * len(rows),
                "abstained": [row[3] for row in rows],
            }
        )
    )


REASON = st.sampled_from(["", "", "too-few-views", "views-disagree"])
ROW = st.tuples(st.integers(0, 2), st.sampled_from("abcdef"), st.booleans(), REASON)


@given(st.lists(ROW, min_size=1, max_size=30))
@settings(deadline=None)
def test_figures_are_means_over_splits_of_counted_shares(rows):
    figures = abstention_figures(table(rows), 0, 0)
    frame = pd.DataFrame(rows, columns=["split", "patient", "right", "reason"])
    judged = frame[frame["reason"] == ""]
    coverage = (frame["reason"] == "").groupby(frame["split"]).mean()
    assert figures["coverage"]["mean"] == pytest.approx(coverage.mean())
    assert figures["accuracy_of_all"]["mean"] == pytest.approx(
        frame.groupby("split")["right"].mean().mean()
    )
    if len(judged):
        accuracy = judged.groupby("split")["right"].mean()
        assert figures["accuracy"]["mean"] == pytest.approx(accuracy.mean())
        expected = pytest.approx(accuracy.std()) if len(accuracy) > 1 else None
        assert figures["accuracy"]["sd"] == expected
    else:
        assert figures["accuracy"] is None
    assert figures["reasons"] == frame["reason"][frame["reason"] != ""].value_counts().to_dict()


def test_intervals_are_those_of_patients_drawn_one_by_one():
    rng = np.random.default_rng(0)
    rows = [
        (split, f"p{i}", bool(rng.random() < 0.7), "" if rng.random() < 0.8 else "views-disagree")
        for split in range(2)
        for i in range(25)
    ]
    figures = abstention_figures(table(rows), 2000, 0)
    drawn = []
    for _ in range(2000):
        patients = [f"p{i}" for i in rng.integers(25, size=25)]
        shares = []
        for split in range(2):
            of = {row[1]: row for row in rows if row[0] == split}
            judged = [of[patient][2] for patient in patients if not of[patient][3]]
            shares.append(np.mean(judged))
        drawn.append(np.mean(shares))
    expected = np.quantile(drawn, [0.025, 0.975])
    assert figures["accuracy"]["ci95"] == pytest.approx(expected, abs=0.03)


def test_only_rows_of_subjects_report_it_and_only_where_the_recipe_abstains():
    rows = table([(0, "a", True, ""), (0, "b", False, "too-few-views")])
    views = PredictionTable(rows.frame.assign(level="view", view="A4C"))
    both, classes = views.with_rows(rows), {"binary": ("none", "PH")}
    [of_view, of_subjects] = evaluate(both, classes, 0, 0, abstains=True)
    assert "abstention" not in of_view
    assert of_subjects["abstention"]["coverage"]["mean"] == 0.5
    assert of_subjects["abstention"]["accuracy"]["mean"] == 1.0
    assert of_subjects["recall"]["mean"] == 0.5, "other figures are of every subject"
    assert all("abstention" not in row for row in evaluate(both, classes, 0, 0))
