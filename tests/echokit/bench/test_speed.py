"""`echokit bench speed`: paired timings, honest verdicts, every case at tiny size, one format."""

from __future__ import annotations

import json
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from echokit.bench.speed import GROUP, measure_all, sentence, write_speed
from echokit.bench.timing import Claim, alone, paired, timing_row
from echokit.errors import UsageError
from echokit.system.progress import Silent

FAST = Claim("ours", "theirs", at_least=2.0)


def test_both_sides_are_timed_in_turns():
    order: list[str] = []
    ours, theirs = paired(lambda: order.append("o"), lambda: order.append("t"), 4)
    assert order == list("ot" + "otto" * 2)
    assert len(ours) == len(theirs) == 4


def test_a_pause_is_timed():
    (first, *_) = alone(lambda: time.sleep(0.02), 1)
    assert 0.02 <= first < 0.2


@pytest.mark.parametrize(
    ("claim", "ours", "theirs", "ratio", "reached"),
    [
        (FAST, [1.0, 1.0, 1.0], [3.0, 2.5, 2.0], 2.5, True),
        (FAST, [1.0, 1.0, 1.0], [1.5, 2.5, 1.9], 1.9, False),
        (Claim("a", "b", at_most=1.2), [1.1], [1.0], 1.1, True),
        (Claim("a", "b", at_most=1.2), [1.3], [1.0], 1.3, False),
        (Claim("a", "", seconds=0.5), [0.4, 0.6, 0.4], None, None, True),
        (Claim("a", "b", at_least=2.0, seconds=0.1), [0.2], [1.0], 5.0, False),
        (Claim("a", "b"), [0.2], [1.0], 5.0, None),
    ],
)
def test_a_goal_is_reached_or_not(claim, ours, theirs, ratio, reached):
    row = timing_row(claim, ours, theirs)
    assert row["reached"] is reached
    assert row["ratio"] == (None if ratio is None else pytest.approx(ratio))


def test_the_spread_is_the_quartiles_of_paired_ratios():
    row = timing_row(FAST, [1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert row["spread"] == [2.0, 4.0]


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


def test_the_result_stands_in_four_formats(measured):
    result = json.loads((measured / "speed.json").read_text())
    assert result["quick"] is True
    assert result["machine"]["cores"]
    assert {row["case"] for row in result["claims"]} == {"explaining"}
    assert {row["against"] for row in result["growth"]} >= {"clips", "views", "frames"}
    assert all(row["ours_s"] > 0 for row in result["claims"] if "ours_s" in row)
    page = (measured / "speed.html").read_text("utf-8")
    assert "shows that the suite works" in page
    assert "<polyline" in page
    assert "| Grad-CAM" in (measured / "speed.md").read_text("utf-8")
    assert (measured / "speed-claims.csv").read_text("utf-8").startswith("case,name,against")


def test_rows_read_as_sentences(measured):
    result = json.loads((measured / "speed.json").read_text())
    for row in result["claims"] + result["growth"]:
        assert sentence(row)[0] in "✓✗·"
        assert row["name"] in sentence(row)


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
