"""Faults of the research code in labels and votes: whose clip, which grade, which label wins."""

from __future__ import annotations

import csv
import random
from collections import Counter

import numpy as np
import pytest

from echokit import ClipRef, Cohort, SupportsFit, Votes, resolve
from echokit.clips.cohort import cohort_table, gather
from echokit.clips.labels import label
from echokit.clips.splits import Split, split_patients
from echokit.plugins.registry import Component, registry
from echokit.recipe import DROP, load_recipe
from echokit.testing import tiny_votes

SEVERITY = ("none", "mild", "moderate-severe")
ALIKE = ("30", "130", "300")
"""Patients whose names hold each other."""


def sequences(*probabilities: tuple[float, ...]) -> Votes:
    rows = np.array(probabilities)
    voters = tuple(map(str, range(len(rows))))
    return Votes(SEVERITY, voters, rows.argmax(1), rows)


def test_a_tie_of_sequences_is_not_won_by_a_label_that_is_not_in_the_tie():
    """Mild has the largest summed probability, and one vote of five."""
    none, severe = (0.51, 0.49, 0.0), (0.0, 0.49, 0.51)
    votes = sequences(none, none, severe, severe, (0.0, 1.0, 0.0))
    assert votes.probabilities.sum(0).argmax() == 1
    assert resolve("aggregator", "majority-vote")(votes).label in ("none", "moderate-severe")


def test_a_tie_of_views_is_not_won_by_a_label_that_is_not_in_the_tie():
    """The most confident view of all says mild, and stands alone."""
    votes = tiny_votes((0, 0, 2, 2, 1), confidences=(0.4, 0.5, 0.6, 0.4, 1.0), classes=SEVERITY)
    assert resolve("aggregator", "majority-vote")(votes).label == "moderate-severe"


@pytest.mark.parametrize("confidences", [None, (0.9, 0.8, 0.9, 0.7)], ids=["sequences", "views"])
@pytest.mark.parametrize("winner", [0, 1])
@pytest.mark.parametrize(
    "component", [pytest.param(c, id=c.name) for c in registry().of_kind("aggregator")]
)
def test_no_vote_on_binary_labels_always_predicts_the_same(
    component: Component, winner, confidences
):
    """The research code's mean voting said `none` even where every voter said PH."""
    vote = component.factory()
    if isinstance(vote, SupportsFit):
        learned = [binary(truth, confidences, seed) for truth in (0, 1) for seed in range(20)]
        vote.fit(learned, ["none"] * 20 + ["PH"] * 20)
    assert vote(binary(winner, confidences, seed=99)).label == ("none", "PH")[winner]


def binary(truth, confidences, seed):
    return tiny_votes([truth] * 4, confidences=confidences, classes=("none", "PH"), seed=seed)


def test_patients_are_not_matched_by_substring_in_a_manifest(tmp_path):
    rows = [("patient", "view", "file", "grade")]
    for patient, grade in zip(ALIKE, "012", strict=True):
        rows.append((patient, "A4C", save(tmp_path, f"{patient}.npy"), grade))
    found = files(manifest(tmp_path, rows), patients="as-is")
    assert {ref.patient: ref.labels["grade"] for ref in found} == dict(
        zip(ALIKE, "012", strict=True)
    )


def test_patients_are_not_matched_by_substring_in_a_folder(tmp_path):
    for patient in ALIKE:
        save(tmp_path, f"{patient}KAPAP.npy")
        save(tmp_path, f"{patient}CV.npy")
    found = files(tmp_path, patients="as-is")
    assert Counter(ref.patient for ref in found) == dict.fromkeys(ALIKE, 2)
    assert len({ref.patient for ref in files(tmp_path)}) == 3, "pseudonyms differ as well"


def test_patients_are_not_matched_by_substring_in_labels_and_splits():
    clips = tuple(
        ClipRef(f"{p}-{v}", p, v, {"grade": grade})
        for p, grade in zip(ALIKE, "012", strict=True)
        for v in ("A4C", "PLAX")
    )
    mapping = dict(zip("012", SEVERITY, strict=True))
    labels = label(Cohort(clips), "grade", mapping, SEVERITY, DROP)
    assert labels.patients == dict(zip(ALIKE, SEVERITY, strict=True))
    split = Split(0, train=frozenset({"130"}), test=frozenset({"30"}))
    assert [split.side(patient) for patient in ALIKE] == ["test", "train", ""]
    rows = cohort_table(Cohort(clips), {"severity": labels}, {"severity": (split,)})
    sides = rows.groupby("patient")["severity_split_00"].agg(set).to_dict()
    assert sides == {"30": {"test"}, "130": {"train"}, "300": {""}}


@pytest.mark.parametrize("method", ["repeated", "k-fold"])
def test_clips_labels_and_splits_are_paired_by_name_not_by_sorted_position(tmp_path, method):
    """A manifest in any order, of names that sort otherwise than they count, says the same."""
    rows = [
        (str(number), view, save(tmp_path, f"{number}-{view}.npy"), str(number % 3))
        for number in range(1, 13)
        for view in ("A4C", "PLAX")
    ]
    tables = []
    for seed in range(3):
        shuffled = random.Random(seed).sample(rows, len(rows))
        source = manifest(tmp_path, [("patient", "view", "file", "grade"), *shuffled])
        tables.append(facts_of(files(source, patients="as-is"), method))
    assert tables[0] == tables[1] == tables[2]
    for clip, (annotation, *_) in tables[0].items():
        assert annotation == str(int(clip.split("-")[0]) % 3)


def facts_of(refs, method):
    """Clip -> its annotation, label and side in every split, as `cohort.csv` has them."""
    cohort = gather(refs, ("A4C", "PLAX"), {})
    mapping = dict(zip("012", SEVERITY, strict=True))
    labels = label(cohort, "grade", mapping, SEVERITY, DROP)
    splits = split_patients(labels.patients, method, 4, 0.25, 7)
    rows = cohort_table(cohort, {"severity": labels}, {"severity": splits}).set_index("clip")
    columns = [c for c in rows if c.startswith("severity_")]
    return {clip: tuple(values) for clip, *values in rows[columns].itertuples()}


@pytest.mark.parametrize(
    ("task", "dropped"),
    [("severity", {"0.5", "1.5"}), ("binary", {"0.5"})],
    ids=["severity", "binary"],
)
def test_dropping_ambiguous_grades_does_not_drop_the_most_severe_too(task, dropped):
    grades = ("0", "0.5", "1", "1.5", "2", "2.5", "3", "3.0")
    cohort = Cohort(tuple(ClipRef(g, g, "A4C", {"grade": g}) for g in grades))
    asked = load_recipe("ph-newborn", preset="paper").tasks[task]
    labels = label(cohort, asked.column, asked.map, asked.labels, DROP)
    assert set(grades) - set(labels.clips) == dropped
    assert sum(labels.dropped.values()) == len(dropped)
    assert {labels.clips[g] for g in ("2", "2.5", "3", "3.0")} == {asked.labels[-1]}


def save(folder, name):
    np.save(folder / name, np.zeros((3, 8, 8), np.uint8))
    return name


def manifest(folder, rows):
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "manifest.csv"


def files(source, **options):
    found = list(resolve("loader", "files", source=str(source), **options).index())
    assert all(isinstance(item, ClipRef) for item in found)
    return found
