"""Read the global generators, to see that nobody drew from them."""

from __future__ import annotations

import numpy as np
import torch


def global_states() -> tuple[bytes, bytes, int]:
    """States that no component may touch; not `random`'s, which beartype draws from."""
    state = np.random.get_state(legacy=False)["state"]  # noqa: NPY002 - to see nobody drew from it
    return torch.get_rng_state().numpy().tobytes(), state["key"].tobytes(), state["pos"]
