"""A run or bundle evaluated on labelled patients: whose figures these are, and who is refused."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest

import echokit
from echokit import CohortError, UsageError
from echokit.cli import main
from echokit.evaluation.metrics import evaluate as evaluate_table
from echokit.voting.table import PredictionTable

pytestmark = [pytest.mark.usefixtures("tiny_plugin"), pytest.mark.slow]

OTHERS = {"views": ["A4C", "PLAX"], "patients": 6, "frames": 12}
SETTINGS = {"split.splits": 1, "train.n": 1, "explain": False}
SETTINGS |= {"test": {"use": "tiny", "source": "", **OTHERS}}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def trained(shelf):
    """A finished run with an external test cohort; not to be changed."""
    if not (shelf / "one").exists():
        echokit.run("tiny-study", settings=SETTINGS, out=shelf / "one")
    return shelf / "one"


@pytest.fixture
def bundle(trained, shelf):
    if not (shelf / "bundles").exists():
        echokit.export_run(trained, "torch-export", shelf / "bundles")
    return next((shelf / "bundles").iterdir())


@pytest.fixture
def others(tmp_path):
    """Where the loader of moving squares is said to find them."""
    (tmp_path / "others").mkdir()
    return tmp_path / "others"


def ordered(frame):
    keys = ["level", "view", "patient", "clip", "start"]
    return frame.sort_values(keys).reset_index(drop=True)


@pytest.mark.parametrize("kind", ["trained", "bundle"])
def test_a_run_and_its_bundle_predict_what_the_run_did_of_the_same_cohort(
    request, kind, trained, others
):
    model = echokit.load(request.getfixturevalue(kind), engine="torch")
    found = echokit.evaluate(model, others, options=OTHERS)
    expected = echokit.open_run(trained).external_predictions
    pd.testing.assert_frame_equal(ordered(found.predictions), ordered(expected), rtol=1e-4)
    table = PredictionTable(found.predictions)
    rows = evaluate_table(table, {"severity": ("none", "severe")}, 20, 3)
    assert json.dumps(found.rows) == json.dumps(rows)
    assert found.metrics["n_subjects"].tolist() == [6, 6, 6]
    assert found.labels == {"none": 3, "severe": 3}
    assert (found.synthetic, found.synthetic_training) == (True, True)
    assert [one.reason for one in found.rejected] == ["it is not a clip"]
    unchecked = [note for note in found.notes if "cannot be checked" in note]
    assert len(unchecked) == (kind == "bundle")


def test_a_bundle_says_nothing_of_where_the_test_cohort_lies(trained, tmp_path):
    settings = SETTINGS | {"test": SETTINGS["test"] | {"source": "/home/somebody/others"}}
    run = echokit.run("tiny-study", settings=settings, out=tmp_path / "one")
    bundle = run.export("torch-export", tmp_path / "bundles")
    assert "somebody" not in (bundle / "recipe.toml").read_text()


def test_patients_of_whom_the_networks_learned_are_refused_and_held_out_ones_are_not(
    trained, others, parts, monkeypatch
):
    cohort = pd.read_csv(trained / "cohort.csv", dtype=str).query("status == 'used'")
    train = cohort[cohort["severity_split_00"] == "train"]
    same = {"views": ["A4C", "PLAX"]}
    with pytest.raises(CohortError, match=rf"{len(train)} of the 20 clips .* have the content"):
        echokit.evaluate(trained, others, options=same)
    index, held_out = parts.TinyLoader.index, set(cohort["patient"]) - set(train["patient"])
    monkeypatch.setattr(
        parts.TinyLoader,
        "index",
        lambda self: (r for r in index(self) if getattr(r, "patient", "") in held_out),
    )
    found = echokit.evaluate(trained, others, options=same)
    judged = echokit.open_run(trained).predictions
    pd.testing.assert_frame_equal(ordered(found.predictions), ordered(judged), rtol=1e-4)


def test_names_of_patients_count_in_the_folder_of_the_runs_own_cohort(trained, tmp_path):
    saved = (trained / "recipe.toml").read_text()
    data = saved.index("[data]")
    mine = saved[:data] + saved[data:].replace('source = ""', f'source = "{tmp_path}"', 1)
    try:
        (trained / "recipe.toml").write_text(mine)
        with pytest.raises(CohortError, match=r"of the 6 patients of the test cohort are patients"):
            echokit.evaluate(trained, tmp_path / "below", options=OTHERS)
    finally:
        (trained / "recipe.toml").write_text(saved)


def test_clips_without_a_label_are_counted_and_none_at_all_are_refused(
    trained, others, parts, monkeypatch
):
    index = parts.TinyLoader.index

    def unlabelled(self):
        for ref in index(self):
            if "p00" in getattr(ref, "clip", ""):
                ref.labels.clear()
            yield ref

    monkeypatch.setattr(parts.TinyLoader, "index", unlabelled)
    found = echokit.evaluate(trained, others, options=OTHERS)
    assert found.dropped == {"no grade": 2}
    assert "p00" not in set(found.predictions["patient"])
    with pytest.raises(CohortError, match=r"'grade' leave 0 classes, and one is needed"):
        echokit.evaluate(trained, others, options=OTHERS | {"patients": 1})


def test_what_cannot_be_asked_is_refused(trained, others):
    model = echokit.load(trained)
    with pytest.raises(UsageError, match="for the task 'severity', not 'binary'"):
        echokit.evaluate(model, others, "binary")
    with pytest.raises(UsageError, match="is not a run"):
        echokit.evaluate(others, others)


def test_the_command_prints_a_table_and_writes_json_tables_and_a_page(
    trained, others, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "result"
    sets = ["--set", "patients=6", "--set", "frames=12", "--set", "views=['A4C', 'PLAX']"]
    call = ["echokit", "evaluate", str(trained), str(others), *sets, "--out", str(out), "--quiet"]
    monkeypatch.setattr(sys, "argv", [word for word in call if word != "--quiet"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert "6 patients: 3 none, 3 severe" in said
    document = json.loads((out / "evaluation.json").read_text())
    for row in document["rows"]:
        assert row["views"] in said
        assert f"{row['f1']['mean']:.2f}" in said
    metrics = pd.read_csv(out / "metrics.csv").set_index("views")
    assert metrics.loc["MV-2", "f1"] == pytest.approx(document["rows"][-1]["f1"]["mean"])
    assert "sensitivity_severe" in metrics
    written = pd.read_csv(out / "predictions.csv")
    assert written[["p_none", "p_severe"]].sum(axis=1).to_numpy() == pytest.approx(1)
    page = (out / "index.html").read_text()
    assert "https://" not in page
    assert "notes.txt" in page
    monkeypatch.setattr(sys, "argv", call)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "already exists" in capsys.readouterr().err
