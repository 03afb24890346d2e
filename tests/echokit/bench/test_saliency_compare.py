"""The comparison of explainers: what it does to a map, and that it runs on a finished run."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from echokit import Saliency

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "saliency" / "compare.py"


@pytest.fixture(scope="module")
def compare():
    spec = spec_from_file_location("saliency_compare", SCRIPT)
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def blocks(model, sequence, target):
    """Marks what is bright, in blocks of four pixels, as a coarse layer would."""
    values = F.avg_pool3d(sequence[None], (1, 4, 4))
    values = F.interpolate(values, tuple(sequence.shape[1:]), mode="nearest")[0, 0]
    return Saliency(values.numpy(), target, "blocks")


@pytest.fixture
def sequence():
    row, column = np.mgrid[:32, :32]
    spot = np.exp(-((row - 13) ** 2 + (column - 22) ** 2) / 18).astype(np.float32)
    return torch.from_numpy(np.repeat(spot[None, None], 3, axis=1))


@pytest.mark.parametrize("finer", ["enlarged", "shifted"])
def test_a_finer_map_lies_where_the_coarse_one_does(compare, sequence, finer):
    change = {
        "enlarged": lambda e: compare.enlarged(e, 3),
        "shifted": lambda e: compare.shifted(e, 2),
    }
    coarse, fine = blocks(None, sequence, 1).values, change[finer](blocks)(None, sequence, 1).values
    assert fine.shape == coarse.shape == (3, 32, 32)
    assert (fine.min(), fine.max()) == (0, 1)
    assert np.abs(np.array(np.unravel_index(fine[0].argmax(), (32, 32))) - [13, 22]).max() <= 2
    steps, coarse_steps = (np.abs(np.diff(one / one.max())).max() for one in (fine, coarse))
    assert steps < 0.7 * coarse_steps, "blocks are still seen"


@pytest.mark.slow
def test_it_compares_methods_on_a_finished_run(small_run, tmp_path):
    words = ["--method", "hirescam stage3", "--out", tmp_path / "out", "--pictures"]
    done = subprocess.run(
        [sys.executable, SCRIPT, small_run, *words], capture_output=True, text=True, check=True
    )
    assert "| hirescam stage3 | " in done.stdout
    rows = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert {row["view"] for row in rows} == {"PLAX", "A4C", "PSAX-P"}
    assert len(list((tmp_path / "out").glob("*.png"))) == len(rows)
