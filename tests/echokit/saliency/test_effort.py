"""Expensive explainers explain fewer predictions, the same everywhere; cheap ones all."""

from __future__ import annotations

import pytest

from echokit import resolve
from echokit.saliency.effort import MAPS, passes_of, take_in_turn


@pytest.mark.parametrize(
    ("asked", "passes", "most", "taken"),
    [
        ([3, 3, 3], [10, 10, 10], 90, [3, 3, 3]),
        ([3, 3, 3], [10, 10, 10], 89, [3, 3, 2]),
        ([3, 3, 3], [10, 10, 10], 50, [2, 2, 1]),
        ([3, 3, 3], [10, 10, 10], 1, [1, 1, 1]),  # one of each whatever it takes
        ([3, 0, 1], [10, 10, 10], 30, [2, 0, 1]),
        ([5, 5], [1, 100], 110, [5, 1]),
        ([500, 500], [0, 0], 1, [500, 500]),  # the explainer does not say
        ([], [], 1, []),
    ],
)
def test_one_of_each_network_then_one_more_in_turn(asked, passes, most, taken):
    assert take_in_turn(asked, passes, most) == taken


def test_a_map_is_made_of_the_network_and_of_25_random_ones():
    shape = (1, 12, 224, 224)
    assert MAPS == 26
    assert passes_of(resolve("explainer", "captum-gradcam"), shape) == 52
    assert 15_000 < passes_of(resolve("explainer", "captum-occlusion"), shape) < 30_000
    assert passes_of(lambda model, sequence, target: None, shape) == 0
    assert passes_of(None, shape) == 0
