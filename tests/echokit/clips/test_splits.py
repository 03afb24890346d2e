"""Splits, seen from outside: for any cohort, method and seed, nobody is on two sides."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from echokit import VIEWS, ClipRef, CohortError
from echokit.clips.cohort import cohort_table, gather
from echokit.clips.labels import label
from echokit.clips.splits import split_by_column, split_patients
from echokit.folder import RunFolder
from echokit.recipe import DROP, load_recipe
from echokit.runs.jobs import inner_jobs, jobs_of
from echokit.runs.start import open_run

CLASSES = ("none", "mild", "severe")
GRADES = {"0": "none", "0.5": DROP, "1": "mild", "2": "severe"}
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def cohorts(draw) -> list[ClipRef]:
    """Clips of patients who lack some views, have several clips of others, and differ in grade.

    Two patients of each label are there always: fewer cannot stand on both sides.
    """
    n = draw(st.integers(6, 30))
    rng = draw(st.randoms(use_true_random=False))
    refs = []
    for index, number in enumerate(rng.sample(range(1, n + 1), n)):
        grades = "012"[index % 3] if index < 6 else ("0", "0.5", "1", "2")
        for view in rng.sample(VIEWS, rng.randint(1, 5)):
            for copy in range(rng.choice([1, 1, 2, 3])):
                labels = {"grade": rng.choice(grades)}
                refs.append(ClipRef(f"{number}/{view}/{copy}", str(number), view, labels))
    return rng.sample(refs, len(refs))


def labels_of(refs):
    cohort = gather(refs, VIEWS, {})
    return cohort, label(cohort, "grade", GRADES, CLASSES, DROP)


@settings(deadline=None, max_examples=30)
@given(cohorts(), st.sampled_from(["repeated", "k-fold"]), SEEDS, st.data())
def test_no_patient_of_any_cohort_is_on_two_sides_of_any_split(refs, method, seed, data):
    cohort, labels = labels_of(refs)
    sizes = Counter(labels.patients.values())
    most = 6 if method == "repeated" else min(sizes.values())
    number = data.draw(st.integers(2, most))
    splits = split_patients(labels.patients, method, number, 0.2, seed)
    rows = cohort_table(cohort, {"severity": labels}, {"severity": splits})
    assert len(rows) == len(refs)
    used = rows[rows["severity_label"] != ""]
    for split in splits:
        sides = rows.groupby("patient")[f"severity_split_{split.index:02d}"].agg(set)
        assert all(len(found - {""}) <= 1 for found in sides), "every clip follows its patient"
        assert set(used[f"severity_split_{split.index:02d}"]) == {"train", "test"}
        for side in (split.train, split.test):
            assert {labels.patients[p] for p in side} == set(sizes), "every label on both sides"
    dropped = rows[rows["severity_label"] == ""]
    assert (dropped.filter(like="_split_") == "").all(axis=None)


@settings(deadline=None, max_examples=30)
@given(cohorts(), SEEDS, st.data())
def test_k_fold_holds_out_every_patient_of_any_cohort_exactly_once(refs, seed, data):
    _, labels = labels_of(refs)
    sizes = Counter(labels.patients.values())
    number = data.draw(st.integers(2, min(sizes.values())))
    splits = split_patients(labels.patients, "k-fold", number, 0.2, seed)
    held_out = Counter(patient for split in splits for patient in split.test)
    assert held_out == dict.fromkeys(labels.patients, 1)
    for name, n in sizes.items():
        shares = [sum(labels.patients[p] == name for p in split.test) for split in splits]
        assert {n // number, -(-n // number)} >= set(shares), "stratified"


@settings(deadline=None, max_examples=30)
@given(cohorts(), st.sampled_from(["repeated", "k-fold"]), SEEDS, st.randoms())
def test_the_same_seed_makes_the_same_splits_whatever_the_order_of_the_clips(
    refs, method, seed, rng
):
    _, labels = labels_of(refs)
    _, shuffled = labels_of(rng.sample(refs, len(refs)))
    first, again = (
        split_patients(which.patients, method, 2, 0.2, seed) for which in (labels, shuffled)
    )
    assert first == again


@settings(deadline=None, max_examples=30)
@given(cohorts(), SEEDS, SEEDS)
def test_inner_folds_nest_inside_the_training_side(refs, seed, inner_seed):
    _, labels = labels_of(refs)
    for split in split_patients(labels.patients, "repeated", 2, 0.2, seed):
        training = {patient: labels.patients[patient] for patient in split.train}
        if min(Counter(training.values()).values()) < 2:
            with pytest.raises(CohortError, match="needs at least 2 of each label"):
                split_patients(training, "k-fold", 2, 0.5, inner_seed)
            continue
        folds = split_patients(training, "k-fold", 2, 0.5, inner_seed)
        for fold in folds:
            assert fold.train | fold.test == split.train
            assert not fold.train & fold.test
        assert Counter(p for fold in folds for p in fold.test) == dict.fromkeys(training, 1)


def test_repeated_draws_hold_out_each_patient_a_fifth_of_the_time():
    """Of 194 newborns as in table 2: 39 in each draw, and nobody more often than chance has it."""
    names = [name for name, n in zip(CLASSES, (126, 32, 36), strict=True) for _ in range(n)]
    people = {f"{number:03d}": name for number, name in enumerate(names)}
    splits = split_patients(people, "repeated", 500, 0.2, 0)
    assert {len(split.test) for split in splits} == {39}
    held_out = Counter(p for split in splits for p in split.test)
    assert set(held_out) == set(people)
    by_label = defaultdict(list)
    for patient, name in people.items():
        by_label[name].append(held_out[patient])
    for name, counts in by_label.items():
        share = sum(counts) / len(counts) / 500
        assert share == pytest.approx(0.2, abs=0.02), name
        spread = sum((n - 500 * share) ** 2 for n in counts) / (500 * share * (1 - share))
        # one patient fewer is free, as each draw takes the same number of a label
        assert 1e-4 < stats.chi2.sf(spread, len(counts) - 1) < 1 - 1e-4, name


def test_repeated_draws_are_independent_of_each_other():
    people = {f"{number:03d}": CLASSES[number % 3] for number in range(90)}
    splits = split_patients(people, "repeated", 200, 0.2, 1)
    shared = [len(a.test & b.test) for a, b in pairwise(splits)]
    expected = stats.hypergeom(30, 6, 6).mean() * 3
    assert sum(shared) / len(shared) == pytest.approx(expected, abs=0.4)


@pytest.mark.usefixtures("tiny_plugin")
def test_inner_networks_of_a_run_learn_from_training_patients_only_and_judge_each_once(tmp_path):
    settings = ["crossfit.folds=2", "split.splits=2", "data.patients=14"]
    recipe = load_recipe("tiny-study", settings=settings)
    folder = RunFolder.create(tmp_path / "run", recipe)
    run = open_run(folder.path)
    owner = {ref.clip: ref.patient for ref in run.population.cohort.clips}

    def patients(job, side):
        return Counter(owner[item.clip] for item in run.population.items(job, side))

    outer = {(job.view, job.split): job for job in jobs_of(run)}
    inner = inner_jobs(run)
    assert len(inner) == 2 * len(outer)
    judged = defaultdict(Counter)
    for job in inner:
        training = patients(outer[job.view, job.split], "train")
        assert patients(job, "train") + patients(job, "test") == training
        assert not set(patients(job, "train")) & set(patients(job, "test"))
        judged[job.view, job.split] += patients(job, "test")
    for place, counts in judged.items():
        assert counts == patients(outer[place], "train")
        assert not set(counts) & set(patients(outer[place], "test"))


def by_column(folds):
    """Split patients by the folds of their rows: {patient: fold, or several}."""
    refs = [
        ClipRef(f"{patient}-{i}", patient, "A4C", {"fold": fold})
        for patient, written in folds.items()
        for i, fold in enumerate(written)
    ]
    return split_by_column(refs, dict.fromkeys(folds, "none"), "fold")


def test_folds_of_a_column_are_each_held_out_once():
    splits = by_column({"a": ["1"], "b": ["2", "2"], "c": ["1"], "d": ["3"]})
    assert [sorted(split.test) for split in splits] == [["a", "c"], ["b"], ["d"]]
    assert all(split.train | split.test == {"a", "b", "c", "d"} for split in splits)
    (split,) = by_column({"a": ["Train"], "b": ["test"], "c": ["Train"]})
    assert (sorted(split.train), sorted(split.test)) == (["a", "c"], ["b"])


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        ({"a": ["1", "2"], "b": ["1"]}, "1 patients have none or several, such as a"),
        ({"a": [""], "b": ["1"]}, "none or several"),
        ({"a": ["1"], "b": ["1"]}, "fewer than two folds"),
        ({"a": ["train"], "b": ["train"]}, "fewer than two folds"),
    ],
)
def test_a_column_that_puts_a_patient_on_both_sides_is_refused(folds, words):
    with pytest.raises(CohortError, match=words):
        by_column(folds)
