"""Moved copies of a map: what chance would mark."""

from __future__ import annotations

import numpy as np
from saliency_probes import (
    SHAPE,
)
from scipy.ndimage import gaussian_filter

from echokit import Clip
from echokit.saliency.location import compare_places
from echokit.saliency.moved_maps import compare_to_moved, moved


def test_a_moved_map_keeps_its_values_and_its_smoothness_without_a_seam():
    ramp = np.arange(np.prod(SHAPE), dtype=float).reshape(SHAPE)
    for one in moved(ramp, 20, np.random.default_rng(0)):
        assert one.shape == SHAPE
        assert np.isin(one, ramp).all()
        for axis in range(3):
            most = np.abs(np.diff(ramp, axis=axis)).max()
            assert np.abs(np.diff(one, axis=axis)).max() <= most
    single = np.random.default_rng(1).random((1, 5, 5))
    assert next(moved(single, 1, np.random.default_rng(0))).shape == (1, 5, 5)


def test_the_rank_counts_the_map_itself_and_ties_against_it():
    found = compare_to_moved(2.0, np.array([1.0, 2.0, 3.0]))
    assert (found.mean, found.sd, found.p) == (2.0, 1.0, 0.75)
    assert compare_to_moved(4.0, np.zeros(19)).p == 0.05


def test_a_map_on_a_structure_beats_its_moved_copies_and_one_beside_it_does_not():
    structures = np.zeros(SHAPE, np.uint8)
    structures[2:6, 6:12, 6:12] = 1
    sector = np.zeros(SHAPE[1:], bool)
    sector[2:20, 2:20] = True
    clip = Clip(np.zeros(SHAPE, np.uint8), None, None, None, sector, structures, ("wall",))
    on = compare_places(gaussian_filter((structures == 1).astype(float), 1), clip, 0)
    assert on["structures"].p <= 0.05
    assert on["structures"].energy > on["structures"].chance + 2 * on["structures"].sd
    assert on["sector"].p <= 0.25
    beside = np.zeros(SHAPE)
    beside[:, 20:, 20:] = 1
    off = compare_places(beside, clip, 0)
    assert (off["sector"].p, off["structures"].p) == (1.0, 1.0)
    assert compare_places(beside, Clip(clip.frames), 0) == {}
