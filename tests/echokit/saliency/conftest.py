"""Sequences and maps that the tests of saliency share."""

from __future__ import annotations

import numpy as np
import pytest
from saliency_probes import SHAPE, noise, scaled
from scipy.ndimage import gaussian_filter


@pytest.fixture
def sequence():
    """Dim noise, and a bright box where `Linear` looks."""
    sequence = noise()
    sequence[0, 2:6, 6:12, 3:9] = 1
    return sequence


@pytest.fixture
def smooth_noise():
    """Maps that say nothing, another at each call, as smooth as Grad-CAM's."""
    rng = np.random.default_rng(0)

    def explain(model, sequence, target):
        values = gaussian_filter(rng.standard_normal(SHAPE), (1.5, 3, 3), mode="reflect")
        return scaled(values.clip(0), target)

    return explain
