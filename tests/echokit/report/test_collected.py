"""What `benchmarks/accuracy/collect.py` takes from a finished run into the repository's results."""

from __future__ import annotations

import importlib.util
import json
import shutil
import tomllib
from pathlib import Path

import pandas as pd
import pytest
import tomli_w

import echokit_ph_newborn
from echokit.errors import UsageError
from echokit.report.sections.calibration import raised_by_temperature
from echokit.report.words import guess_f1

HERE = Path(__file__).parents[3] / "benchmarks" / "accuracy" / "collect.py"
PAPER = tomllib.loads((Path(echokit_ph_newborn.__file__).parent / "recipe.toml").read_text("utf-8"))
FLAGGED = "It shows the picture."


def ece(pooled):
    return {"ece": {"mean": 0.99, "sd": None, "pooled": pooled}, "ece_by_chance": 0.06,
            "brier": {"mean": 0.4, "sd": None}}  # fmt: skip


def calibration(views, before, after):
    place = {"task": "severity", "approach": "spatial", "views": views}
    return place | {"n_predictions": 36, "raw": ece(before), "tempered": ece(after)} | {
        "conformal": [{"level": 0.9, "coverage": 0.88, "size": 1.5}]
    }  # fmt: skip


def rule(name, f1, lead=None):
    cell = {"mean": f1, "sd": 0.05}
    sizes = {str(n): {"f1": f1 - (5 - n) / 100} for n in (1, 2, 3, 4, 5)}
    shown = {"all_views": {"f1": cell, "balanced_accuracy": cell}, "by_size": sizes}
    return {"method": name, "learned": False, "lead": lead} | shown


def fusion():
    ends = {"ci95": [0.01, 0.09], "ci95_together": [-0.02, 0.12], "excludes_zero": False}
    methods = [rule("majority-vote", 0.6), rule("stacking", 0.65, {"mean": 0.05} | ends)]
    place = {"task": "severity", "approach": "spatial"}
    views = ["PLAX", "A4C", "PSAX-P", "PSAX-S", "PSAX-A"]
    said = {"baseline": "majority-vote", "winner": "stacking", "winner_is_clear": False}
    rows = [
        place | {"method": one["method"], "views": views[:n], "n_subjects": 9}
        | {"f1": {"mean": n / 10, "sd": None}, "auroc": None}
        for one in methods for n in (1, 2)
    ]  # fmt: skip
    summary = [place | said | {"views": views, "methods": methods}]
    return {"schema": 1, "synthetic": True, "rows": rows, "summary": summary, "skipped": []}


@pytest.fixture(scope="module")
def collected(run, kit, tmp_path_factory):
    """The folder that a run with every file is collected into."""
    spec = importlib.util.spec_from_file_location("collect", HERE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = tmp_path_factory.mktemp("collected")
    own = shutil.copytree(run, root / "demo")
    recipe = tomllib.loads((own / "recipe.toml").read_text("utf-8"))
    (own / "recipe.toml").write_text(tomli_w.dumps(recipe | {"published": PAPER["published"]}))
    for path in (own / "models").rglob("*.json"):
        place = path.relative_to(own / "models").parts
        network = json.loads(path.read_text()) | {"parameters": 9, "fold": None}
        kit.dump(path, network | {"approach": place[1], "view": place[2]})
    kit.dump(own / "fusion.json", fusion())
    rows = [calibration("PLAX", 0.17, 0.21), calibration("A4C", 0.17, 0.11)]
    kit.dump(own / "calibration.json", {"rows": rows, "notes": []})
    index = json.loads((own / "saliency" / "index.json").read_text())
    for i, one in enumerate(index["maps"]):
        one["scores"]["verdict"] = {"passed": i > 3, "reasons": [FLAGGED] if i <= 3 else []}
    network = {"task": "severity", "approach": "spatio-temporal", "view": "PLAX", "split": 0}
    index["networks"] = [network | {"shuffle": 0.123, "changed": 0.25, "n": 8}]
    kit.dump(own / "saliency" / "index.json", index)
    module.collect(own, out=root)
    unfinished = json.loads((own / "run.json").read_text()) | {"finished": None}
    kit.dump(own / "run.json", unfinished)
    with pytest.raises(UsageError, match="is not finished"):
        module.collect(own, out=root)
    return root


@pytest.fixture(scope="module")
def page(collected):
    return (collected / "RESULTS.md").read_text("utf-8")


def test_table_3_has_intervals_and_what_guessing_reaches(page, run):
    row = next(
        one for one in json.loads((run / "metrics.json").read_text())["rows"]
        if (one["task"], one["approach"], one["views"]) == ("severity", "spatial", "PLAX")
    )  # fmt: skip
    table = pd.read_parquet(run / "predictions.parquet")
    own = table.query("task == 'severity' and approach == 'spatial' and view == 'PLAX'")
    guess = guess_f1(own["label"].value_counts().to_dict())
    lines = page.partition("**(a) severity, spatial**")[2].splitlines()
    ours = next(i for i, line in enumerate(lines) if line.startswith("| PLAX | ours |"))
    assert lines[ours].endswith(f"| {row['n_subjects']} | {guess:.2f} |")
    low, high = row["f1"]["ci95"]
    assert lines[ours + 1].startswith("| | 95 % |")
    assert f" {low:.2f}–{high:.2f} |" in lines[ours + 1]
    assert lines[ours + 2].startswith("| | *paper* | 0.84±0.04 | 0.76±0.04")


def test_what_the_authors_found_on_held_out_patients_stands_above_it(page):
    assert "from 0.84 in cross-validation to 0.63 on held-out patients (severity)" in page


def test_voting_rules_are_shown_by_number_of_views_and_one_table_says_which_wins(page, collected):
    assert "| severity | spatial | stacking | 0.65 ± 0.05 | +0.05 (−0.02 to +0.12) | no |" in page
    heading = " | ".join(f"F1, {n} of 5 views" for n in (1, 2, 3, 4))
    assert f"lead over the majority vote | {heading} |" in page
    assert "| stacking | 0.65 ± 0.05 | 0.65 ± 0.05 | +0.05 (−0.02 to +0.12) | 0.61 | 0.62 |" in page
    table = pd.read_csv(collected / "tables" / "fusion.csv")
    assert table["views"].tolist() == ["PLAX", "PLAX+A4C"] * 2
    assert table["f1"].tolist() == [0.1, 0.2] * 2


def test_calibration_is_of_all_predictions_with_its_floor(page):
    assert "| severity | spatial | PLAX | 36 | 0.17 (0.06) | 0.21 (0.06) |" in page
    assert "0.99" not in page.partition("## Calibration")[2].partition("## Saliency")[0]
    rows = [calibration("PLAX", 0.17, 0.21), calibration("A4C", 0.17, 0.11)]
    (raised,) = raised_by_temperature(rows)
    assert f"- severity, spatial: {raised}" in page


def test_saliency_has_reasons_energies_and_the_effect_of_shuffling(page, collected):
    assert "15 maps were judged" in page
    assert "11 pass every check" in page
    assert f"| {FLAGGED} | 4 |" in page
    assert "| spatio-temporal | sector | 15 | 0.970 | 0.410 | 2.37 |" in page
    assert "| spatio-temporal | septum | 15 | 0.320 | 0.060 | 5.33 |" in page  # 0.31 / 0.97
    assert "| severity | spatio-temporal | PLAX | 0.123 | 25 % | 8 |" in page
    table = pd.read_csv(collected / "tables" / "saliency.csv")
    assert table["passed"].sum() == 11
    assert table["septum energy"].tolist() == [0.31] * 15


def test_it_says_how_the_cohort_was_made(page):
    assert "made from anatomy alone: every view strays" in page
    assert page.count("\n\n\n\n") == 0
