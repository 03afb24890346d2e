"""The file of a suite of accuracy benchmarks."""

from __future__ import annotations

from pathlib import Path

import pytest

from echokit.bench.suite import read_suite
from echokit.errors import EchokitError, UsageError


def test_a_suites_file_is_read_and_overridden(tmp_path: Path):
    path = tmp_path / "suite.toml"
    path.write_text(
        'seeds = 3\n[backbone.small]\nuse = "tiny3d"\nwidth = 2\n[aggregator.vote]\nuse = "v"\n'
    )
    found = read_suite(path, seeds=1, preset=None)
    assert (found.seeds, found.backbone["small"].options) == (1, {"width": 2})
    path.write_text(path.read_text().replace("seeds", "seed"))
    with pytest.raises(EchokitError, match="did you mean 'seeds'"):
        read_suite(path)
    with pytest.raises(UsageError, match="There is no suite"):
        read_suite(tmp_path / "none.toml")
