"""`echokit bench speed`: paired timings, honest verdicts, every case at tiny size, one format."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from echokit.bench.speed import (
    GROUP,
    growth_chart,
    growth_words,
    measure_all,
    sentence,
    write_speed,
)
from echokit.bench.timing import Claim, timing_row
from echokit.errors import UsageError
from echokit.system.progress import Silent

FAST = Claim("ours", "theirs", at_least=2.0)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves of two cases at tiny size."""
    from echokit.cli import app

    out = tmp_path_factory.mktemp("speed")
    words = ["bench", "speed", "--quick", "--case", "explaining", "--case", "growth", "--json"]
    done = CliRunner().invoke(app, [*words, "--out", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["kind"] == "speed"
    return out


@pytest.mark.slow
def test_the_result_stands_in_four_formats(measured):
    result = json.loads((measured / "speed.json").read_text())
    assert result["quick"] is True
    assert result["machine"]["cores"]
    assert {row["case"] for row in result["claims"]} == {"explaining"}
    assert {row["against"] for row in result["growth"]} >= {"clips", "views", "frames"}
    assert all(row["ours_s"] > 0 for row in result["claims"] if "ours_s" in row)
    page = (measured / "speed.html").read_text("utf-8")
    assert "shows that the suite works" in page
    assert "<svg" in page
    assert "| Grad-CAM" in (measured / "speed.md").read_text("utf-8")
    assert (measured / "speed-claims.csv").read_text("utf-8").startswith("case,name,against")


@pytest.mark.slow
def test_rows_read_as_sentences(measured):
    result = json.loads((measured / "speed.json").read_text())
    for row in result["claims"] + result["growth"]:
        assert sentence(row)[0] in "✓✗·"
        assert row["name"] in sentence(row)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(case.name for case in entry_points(group=GROUP)))
def test_every_case_measures_at_tiny_size(name):
    (case,) = (case for case in entry_points(group=GROUP) if case.name == name)
    threads = torch.get_num_threads()
    try:
        rows = case.load()(True)
    finally:
        torch.set_num_threads(threads)  # a case has a process of its own in the suite
    assert rows
    for row in rows:
        assert row["goal"] or row["reached"] is None
        assert {"name", "against", "ratio", "repeats"} <= set(row)
        assert row["name"] in sentence(row)


def test_an_unknown_case_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'growth'"):
        measure_all(True, ["grwth"], Silent())


def test_a_suite_without_growth_has_one_table(tmp_path):
    row = {"case": "x"} | timing_row(FAST, [1.0], [3.0])
    page = write_speed([row], False, tmp_path)
    assert "Cost against size" not in page.read_text("utf-8")
    assert not (tmp_path / "speed-growth.csv").exists()


def test_cost_is_drawn_against_size_relative_to_the_smallest():
    rows = [
        {"name": "storing, ours", "against": "clips", "points": [[10, 2.0], [20, 6.0], [40, 8.0]]},
        {"name": "voting, ours", "against": "views", "points": [[1, 4.0], [2, 3.0]]},
    ]
    axes = growth_chart(rows).axes[0]
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["storing, clips"].get_xydata().tolist() == [[1, 1], [2, 3], [4, 4]]
    assert lines["voting, views"].get_xydata().tolist() == [[1, 1], [2, 1]]  # it did not rise
    assert (axes.get_xlim(), axes.get_ylim()) == ((1, 4), (1, 4))
    assert axes.get_xscale() == axes.get_yscale() == "log"
    named = [text.get_text() for text in axes.get_legend().get_texts()]
    assert named == ["storing, clips", "voting, views"]
    assert "storing, clips 4 times" in growth_words(rows)
