"""Whether a network learned, told from its training patients."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from echokit.networks.learned import beyond_guessing, judge_learning

CLASSES = ("none", "mild", "severe")
COUNTS = (94, 23, 27)


def judged(truth, predicted, loss=0.5, guess=1.1):
    return judge_learning(confusion_matrix(truth, predicted, labels=range(3)), CLASSES, loss, guess)


@pytest.fixture
def truth():
    return np.repeat(range(3), COUNTS)


def test_a_network_that_is_mostly_right_learned(truth):
    predicted = np.where(np.arange(len(truth)) % 4 == 0, (truth + 1) % 3, truth)
    learned = judged(truth, predicted)
    assert learned.reason == ""
    assert learned.balanced_accuracy == pytest.approx(balanced_accuracy_score(truth, predicted))


def test_a_network_that_calls_everything_mild_did_not(truth):
    learned = judged(truth, np.ones_like(truth))
    assert learned.never_predicted == ("none", "severe")
    assert "never predicts none or severe" in learned.reason


def test_a_loss_like_that_of_guessing_is_named(truth):
    assert "its loss is 1.09, and that of guessing 1.10" in judged(truth, truth, 1.09, 1.1).reason


@pytest.mark.parametrize("counts", [COUNTS, (40, 40), (12, 9, 30, 15)])
def test_networks_that_guess_are_nearly_always_noticed(counts):
    rng, labels = np.random.default_rng(1), len(counts)
    truth = np.repeat(range(labels), counts)
    limit = beyond_guessing(np.array(counts))
    shares = np.array(counts) / len(truth)
    above = 0
    for draw in range(2000):
        p = shares if draw % 2 else np.full(labels, 1 / labels)
        guess = rng.choice(labels, len(truth), p=p)
        above += balanced_accuracy_score(truth, guess) > limit
    assert above <= 15, "three standard errors are exceeded by about one in 700"
    assert 1 / labels < limit < 0.75


def test_so_few_clips_that_nothing_would_tell_ask_for_half_the_way():
    assert beyond_guessing(np.array([2, 2])) == 0.75


def test_a_label_without_training_clips_is_not_asked_of_the_network():
    truth = np.repeat([0, 2], (30, 30))
    learned = judged(truth, truth)
    assert learned.reason == ""
    assert learned.balanced_accuracy == 1
