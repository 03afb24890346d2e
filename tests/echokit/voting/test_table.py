"""The table of predictions: what it writes and reads, and what its rows become."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from echokit import DamagedError, Prediction
from echokit.voting.ballots import ballots
from echokit.voting.subset_table import SubsetRow, SubsetTable
from echokit.voting.table import Place, PredictionTable, Row

CLASSES = ("none", "mild", "severe")


def row(level="view", patient="p", view="A4C", label="none", predicted="mild", split=0, **more):
    p = np.full(3, 0.1)
    p[CLASSES.index(predicted)] = 0.8
    place = Place("severity", "spatial", view, split)
    return Row(level, place, patient, label, Prediction(predicted, 0.8, p), **more)


def test_a_row_is_plain_values_in_the_order_of_the_file():
    prediction = Prediction("mild", np.float64(0.5), np.array([0.25, 0.5, 0.25], np.float32))
    cells = Row("view", Place("t", "a", "A4C", 1), "p", "none", prediction, "c").cells()
    assert list(cells.items()) == [
        ("level", "view"),
        ("clip", "c"),
        ("start", -1),
        ("task", "t"),
        ("approach", "a"),
        ("view", "A4C"),
        ("split", 1),
        ("label", "none"),
        ("predicted", "mild"),
        ("confidence", 0.5),
        ("probabilities", [0.25, 0.5, 0.25]),
        ("patient", "p"),
        ("abstained", ""),
    ]
    assert type(cells["confidence"]) is type(cells["probabilities"][0]) is float


def test_a_table_is_written_and_read_row_by_row(tmp_path):
    rows = [row(clip="a"), row("sequence", clip="a", start=3), row("subject", view="MV-2")]
    PredictionTable.of(rows).write(tmp_path / "table.parquet")
    again = list(PredictionTable.read(tmp_path / "table.parquet").rows())
    assert [(r.level, r.place, r.patient, r.clip, r.start) for r in again] == [
        (r.level, r.place, r.patient, r.clip, r.start) for r in rows
    ]
    for one, other in zip(rows, again, strict=True):
        assert one.prediction.label == other.prediction.label
        assert one.prediction.probabilities.tolist() == other.prediction.probabilities.tolist()


def test_a_subject_that_is_not_judged_is_marked_and_a_table_without_marks_still_opens(tmp_path):
    rows = [row("subject", view="MV-2", abstained="views-disagree"), row("subject", view="MV-2")]
    table = PredictionTable.of(rows)
    table.write(tmp_path / "table.parquet")
    again = PredictionTable.read(tmp_path / "table.parquet")
    assert again.abstained.tolist() == ["views-disagree", ""]
    assert [r.abstained for r in again.rows()] == ["views-disagree", ""]
    old = PredictionTable(table.frame.drop(columns="abstained"))
    old.write(tmp_path / "old.parquet")
    old = PredictionTable.read(tmp_path / "old.parquet")
    assert old.abstained.tolist() == ["", ""]
    assert old.with_rows(table).abstained.tolist() == ["", "", "views-disagree", ""]


def test_a_file_that_lacks_a_column_is_refused_by_its_name(tmp_path):
    frame = PredictionTable.of([row()]).frame.drop(columns="confidence")
    frame.to_parquet(tmp_path / "table.parquet")
    with pytest.raises(DamagedError, match=r"table\.parquet is damaged: .* no column 'confidence'"):
        PredictionTable.read(tmp_path / "table.parquet")


def test_no_file_is_an_empty_table_that_answers_every_question(tmp_path):
    empty = PredictionTable.read_if_there(tmp_path / "none.parquet")
    assert len(empty) == len(empty.views) == len(empty.where(task="x", split=3)) == 0
    assert list(empty.groups("task", "split")) == []
    assert ballots(empty, CLASSES) == []


def test_rows_are_chosen_by_their_cells():
    table = PredictionTable.of([row(view=v, split=s) for v in ("A4C", "PLAX") for s in (0, 1)])
    assert len(table.where(view="PLAX")) == 2
    assert len(table.where(view=("PLAX", "A4C"), split=1)) == 2
    assert len(table.at(Place("severity", "spatial", "PLAX", 1))) == 1


def test_the_truth_of_a_patient_is_that_of_its_subject_rows_or_else_the_most_severe_of_its_clips():
    clips = [row(label="mild"), row(view="PLAX", label="none"), row(patient="q", label="mild")]
    assert PredictionTable.of(clips).truth_of_patients(CLASSES) == {"p": 1, "q": 1}
    subject = row("subject", view="MV-2", label="severe")
    assert PredictionTable.of([*clips, subject]).truth_of_patients(CLASSES) == {"p": 2, "q": 1}


def test_clips_become_the_votes_of_their_views():
    table = PredictionTable.of([row(), row(view="PLAX", predicted="severe")])
    votes = table.votes(CLASSES)
    assert votes.voters == ("A4C", "PLAX")
    assert votes.labels.tolist() == [1, 2]
    assert votes.probabilities.argmax(1).tolist() == [1, 2]
    assert votes.confidences.tolist() == [0.8, 0.8]


def test_ballots_come_in_the_order_of_splits_and_patients():
    table = PredictionTable.of([row(patient=p, split=s) for p, s in (("q", 0), ("p", 1), ("p", 0))])
    assert [(b.split, b.patient) for b in ballots(table, CLASSES)] == [(0, "p"), (0, "q"), (1, "p")]
    assert ballots(table, CLASSES, ["PLAX"]) == []


def test_rows_without_new_probabilities_are_left_out():
    table = PredictionTable.of([row(), row(view="PLAX")])
    kept = table.with_probabilities([None, np.array([0.2, 0.3, 0.5])])
    assert kept.probabilities.tolist() == [[0.2, 0.3, 0.5]]
    assert kept.frame["view"].tolist() == ["PLAX"]


@pytest.mark.parametrize("views", ["A4C+PLAX", ["A4C", "PLAX"]])
def test_subset_predictions_are_found_by_method_subset_split_and_patient(tmp_path, views):
    prediction = Prediction("mild", 0.7, np.array([0.2, 0.7, 0.1]))
    one = SubsetRow("fused", "severity", "x", 0, "p", ("A4C", "PLAX"), "none", prediction)
    SubsetTable.of([one]).write(tmp_path / "fusion.parquet")
    frame = pd.read_parquet(tmp_path / "fusion.parquet")
    frame["views"] = pd.Series([views], dtype=object)
    table = SubsetTable(frame).of_approach("severity", "x")
    ((method, found),) = table.by_method()
    assert method == "fused"
    assert found[frozenset({"A4C", "PLAX"})][0, "p"].label == "mild"
    assert len(table.of_approach("severity", "y")) == 0
