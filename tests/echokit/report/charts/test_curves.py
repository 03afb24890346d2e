"""ROC curves and courses of training, checked by the lines that were drawn."""

import numpy as np
import pytest
from sklearn.metrics import roc_curve

from echokit.report.charts.curves import roc, roc_words, training, training_words
from echokit.report.judged import curves, judged
from echokit.report.results import History, read_results


def history(losses, split="00", first=1):
    epochs = tuple({"epoch": first + i, "loss": loss} for i, loss in enumerate(losses))
    return History("severity", "spatial", "PLAX", split, epochs)


def lines_of(figure):
    return {line.get_label(): line for line in figure.axes[0].get_lines()}


def test_roc_curves_are_those_of_scikit_learn(run, kit, assert_drawn):
    classes = kit.CLASSES["severity"]
    colours = dict(zip(classes, ("--c0", "--c1", "--c2"), strict=True))
    for group in list(judged(read_results(run).predictions, "severity", classes))[:3]:
        figure = roc(curves(group), classes)
        lines = lines_of(figure)
        for i, label in enumerate(classes):
            fpr, tpr, _ = roc_curve(group.truth == i, group.probabilities[:, i])
            np.testing.assert_allclose(lines[label].get_xdata(), fpr)
            np.testing.assert_allclose(lines[label].get_ydata(), tpr)
            assert_drawn(figure, colours[label], fpr, tpr)
        assert_drawn(figure, "--muted", (0, 1), (0, 1))
        assert all(
            f"{one.label} {one.area:.2f}" in roc_words(curves(group), "x") for one in curves(group)
        )


def test_every_split_is_one_line_over_its_epochs(assert_drawn):
    courses = [[1.2, 0.8, 0.5], [1.1, 0.9, 0.3]]
    figure = training([history(c, f"{i:02d}") for i, c in enumerate(courses)])
    for split, losses in zip(("00", "01"), courses, strict=True):
        assert lines_of(figure)[split].get_xdata().tolist() == [1, 2, 3]
        assert lines_of(figure)[split].get_ydata().tolist() == losses
        assert_drawn(figure, "--c0", [1, 2, 3], losses)
    assert figure.axes[0].get_ylim() == (0, 1.5)
    assert "0.50, 0.30 after epoch 3" in training_words([history(c) for c in courses])


def test_a_single_epoch_is_a_dot_and_its_axis_names_it_once():
    figure = training([history([0.4]), history([0.5])])
    assert [line.get_marker() for line in figure.axes[0].get_lines()] == ["o", "o"]
    assert figure.axes[0].get_xticks().tolist() == [1]
    (many,) = training([history([0.4, 0.3])]).axes[0].get_lines()
    assert many.get_marker() == "None"


@pytest.mark.parametrize("lost", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_is_left_out(lost):
    (line,) = training([history([0.9, lost, 0.5])]).axes[0].get_lines()
    assert line.get_xdata().tolist() == [1, 3]
    assert line.get_ydata().tolist() == [0.9, 0.5]


def test_epochs_without_a_number_are_counted_from_one():
    bare = History("severity", "spatial", "PLAX", "00", ({"loss": 0.5}, {"loss": 0.4}))
    (line,) = training([bare]).axes[0].get_lines()
    assert line.get_xdata().tolist() == [1, 2]
