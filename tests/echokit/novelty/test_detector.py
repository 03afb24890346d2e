"""A detector: what it turns away, for which reason, and what its file keeps."""

from __future__ import annotations

import numpy as np
import pytest

from echokit import UsageError
from echokit.novelty import detector as module
from echokit.novelty.detector import (
    TrainingFeatures,
    fit_detector,
    load_detector,
    save_detector,
)
from echokit.novelty.distance import left_out_distances
from echokit.novelty.statistics import STATISTICS

N = 120
FOLDS = [np.arange(N)[i::6] for i in range(6)]
GROUPS = [one.group for one in STATISTICS]


def statistics(n=N, seed=0):
    return np.random.default_rng(seed).normal(0.5, 0.1, (n, len(STATISTICS)))


def features(n=N, seed=1):
    return np.random.default_rng(seed).normal(0, 1, (n, 8))


@pytest.fixture(scope="module")
def fitted():
    rows = features()
    seen = TrainingFeatures(rows, left_out_distances(rows, FOLDS), "inner networks")
    return fit_detector("PLAX", statistics(), FOLDS, seen)


def test_both_distances_together_turn_away_two_in_a_hundred(fitted):
    verdicts = [
        fitted.judge(*rows) for rows in zip(statistics(1500, 7), features(1500, 8), strict=True)
    ]
    share = np.mean([verdict.is_novel for verdict in verdicts])
    assert fitted.facts["expected_false_alarms"] == pytest.approx(2 / 121)
    assert 0.002 < share < 0.05
    for verdict in verdicts:
        assert verdict.is_novel == bool(verdict.reason)
        assert verdict.score == max(verdict.statistics, verdict.features)


def test_the_reason_names_in_what_a_clip_is_unlike(fitted):
    moving = statistics(1)[0]
    moving[[i for i, group in enumerate(GROUPS) if group == "motion"]] += 8
    reason = fitted.judge(moving, features(1)[0]).reason
    assert reason.startswith("unlike every clip the PLAX network learned from: frame statistics (")
    assert "(motion" in reason
    assert "features" not in reason
    strange = fitted.judge(statistics(1)[0], features(1)[0] + 30)
    assert strange.reason.endswith("learned from: features of the network")
    both = fitted.judge(moving, features(1)[0] + 30).reason
    assert "motion" in both
    assert both.endswith("and features of the network")


def test_without_features_frames_decide_alone(fitted):
    verdict = fitted.judge(statistics(1)[0], None)
    assert verdict.features is None
    assert verdict.score == verdict.statistics
    blind = fit_detector("PLAX", statistics(), FOLDS, None)
    assert blind.features is None
    assert blind.facts["features"] == "none"
    assert not blind.judge(statistics(1)[0], features(1)[0] + 30).is_novel


@pytest.mark.parametrize("blind", [False, True])
def test_its_file_keeps_it_whole_and_is_the_same_each_time(fitted, tmp_path, blind):
    one = fit_detector("PLAX", statistics(), FOLDS, None) if blind else fitted
    save_detector(one, tmp_path / "a.safetensors")
    save_detector(one, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = load_detector(tmp_path / "a.safetensors")
    for row, seen in zip(statistics(20, 9), features(20, 9), strict=True):
        assert again.judge(row * 2, seen) == one.judge(row * 2, seen)


def test_a_file_of_other_statistics_is_refused(fitted, tmp_path, monkeypatch):
    save_detector(fitted, tmp_path / "a.safetensors")
    monkeypatch.setattr(module, "STATISTICS", STATISTICS[1:])
    with pytest.raises(UsageError, match=r"by other numbers.*make the run or bundle again"):
        load_detector(tmp_path / "a.safetensors")
