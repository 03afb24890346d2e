"""Which networks of a run learned nothing."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from echokit import open_run
from echokit.runs.learning import sentence, write_learning
from echokit.voting.table import PredictionTable


@pytest.fixture
def run(small_run, tmp_path):
    shutil.copytree(small_run, tmp_path / "run")
    (tmp_path / "store.zarr").symlink_to(small_run.parent / "store.zarr")
    return open_run(tmp_path / "run")


def described(run, view="A4C"):
    return run.weights(run.job(view)).with_suffix(".json")


def change(run, **facts):
    path = described(run)
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


EMPTY = PredictionTable.of([])


def test_each_network_of_held_out_patients_has_a_row(run):
    rows = write_learning(run, EMPTY)
    assert {row["view"] for row in rows} == set(run.recipe.views.networks)
    written = json.loads((run.folder.path / "learning.json").read_text())
    assert written["rows"] == [dict(row) for row in rows]


def test_what_training_found_is_told(run):
    change(run, attempts=3, learned={"reason": "it never predicts mild", "balanced_accuracy": 0.4})
    rows = {row["view"]: row for row in write_learning(run, EMPTY)}
    assert rows["A4C"]["reason"] == "it never predicts mild"
    assert rows["A4C"]["attempts"] == 3
    assert sentence((rows["A4C"],)) == "; 1 did not learn: A4C of split 0"


def test_a_network_of_an_earlier_version_is_not_accused(run):
    path = described(run)
    facts = json.loads(path.read_text())
    path.write_text(
        json.dumps({k: v for k, v in facts.items() if k not in ("learned", "attempts")})
    )
    rows = {row["view"]: row for row in write_learning(run, EMPTY)}
    assert rows["A4C"]["reason"] == ""
    assert rows["A4C"]["training_accuracy"] is None


@pytest.mark.parametrize("right", [True, False])
def test_left_out_patients_tell_on_a_network_that_only_memorised(run, right):
    change(run, learned={"reason": "", "balanced_accuracy": 1.0})
    views = list(run.held_out.where(view="A4C", level="view").rows())
    classes = run.population.classes("severity")
    many = []
    for number in range(40):
        for label in classes:
            said = label if right else classes[0]
            prediction = replace(views[0].prediction, label=said)
            patient = f"{label}{number}"
            many.append(replace(views[0], patient=patient, label=label, prediction=prediction))
    rows = {row["view"]: row for row in write_learning(run, PredictionTable.of(many))}
    assert rows["A4C"]["left_out_accuracy"] == pytest.approx(1.0 if right else 1 / len(classes))
    assert bool(rows["A4C"]["reason"]) is not right
