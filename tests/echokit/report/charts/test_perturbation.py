"""Curves of deletion and insertion, checked by the lines that were drawn."""

from echokit.report.charts.perturbation import (
    Perturbation,
    perturbation_chart,
    perturbation_words,
)
from echokit.report.sections.checks import perturbations

CURVES = (
    Perturbation("deletion", "c0", (0, 0.1, 1), (0.9, 0.3, 0.1)),
    Perturbation("insertion", "c2", (0, 0.1, 1), (0.1, 0.8, 0.9)),
)


def test_both_curves_are_drawn_at_the_shares_they_were_measured_at(assert_drawn):
    figure = perturbation_chart(CURVES)
    assert_drawn(figure, "--c0", (0, 0.1, 1), (0.9, 0.3, 0.1))
    assert_drawn(figure, "--c2", (0, 0.1, 1), (0.1, 0.8, 0.9))
    assert perturbation_words(CURVES).endswith(
        "deletion from 0.90 to 0.10; insertion from 0.10 to 0.90"
    )


def test_scores_are_read_with_their_shares_or_evenly_where_none_are_given():
    scores = {
        "deletion": {"at": [0, 0.1, 1], "curve": [0.9, 0.3, 0.1]},
        "insertion": {"curve": [0.1, 0.8, 0.9]},
    }
    deletion, insertion = perturbations(scores)
    assert deletion == CURVES[0]
    assert insertion.shares == (0, 0.5, 1)
    assert perturbations({"deletion": scores["deletion"]}) == ()
    assert perturbations({}) == ()
