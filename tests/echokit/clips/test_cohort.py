"""The cohort: who is in it, what each clip is labelled, who is held out."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from echokit import ClipRef, Cohort, CohortError, Rejection
from echokit.clips.cohort import cohort_table, gather, separate
from echokit.clips.labels import label
from echokit.clips.splits import split_patients

CLASSES = ("none", "mild", "severe")
MAP = {"0": "none", "0.5": "drop", "1": "mild", "2": "severe"}


def ref(clip: str, grade: str | None = "0", patient: str = "", view: str | None = "A4C") -> ClipRef:
    labels = {} if grade is None else {"grade": grade}
    return ClipRef(clip, patient or clip, view, labels)


def labelled(*refs: ClipRef):
    return label(Cohort(refs), "grade", MAP, CLASSES, "drop")


@st.composite
def patients(draw):
    """Patients of two to four labels, some of them rare, in any order."""
    sizes = draw(st.lists(st.integers(2, 5) | st.integers(6, 40), min_size=2, max_size=4))
    labels = [f"label {i}" for i, size in enumerate(sizes) for _ in range(size)]
    names = draw(st.permutations([str(n) for n in range(len(labels))]))
    return dict(zip(names, labels, strict=True))


def count(people: dict[str, str], side: frozenset[str]) -> Counter[str]:
    return Counter(people[name] for name in side)


@settings(deadline=None, max_examples=60)
@given(patients(), st.integers(1, 12), st.floats(0.05, 0.5), st.integers(0, 2**32 - 1))
def test_repeated_splits_keep_every_patient_on_one_side(people, splits, held_out, seed):
    drawn = split_patients(people, "repeated", splits, held_out, seed)
    assert [split.index for split in drawn] == list(range(splits))
    everyone = Counter(people.values())
    for split in drawn:
        assert not split.train & split.test
        assert split.train | split.test == set(people)
        assert len(split.test) == max(round(held_out * len(people)), len(everyone))
        there = count(people, split.test)
        assert set(there) == set(count(people, split.train)) == set(everyone)
        for name, n in everyone.items():
            wanted = n * len(split.test) / len(people)
            assert abs(there[name] - wanted) <= len(everyone), "not stratified"
        assert all(split.side(p) == ("test" if p in split.test else "train") for p in people)
    reordered = dict(reversed(people.items()))
    assert drawn == split_patients(reordered, "repeated", splits, held_out, seed)


@settings(deadline=None)
@given(patients(), st.integers(0, 2**32 - 1), st.data())
def test_k_fold_holds_every_patient_out_exactly_once(people, seed, data):
    everyone = Counter(people.values())
    splits = data.draw(st.integers(2, min(everyone.values())))
    drawn = split_patients(people, "k-fold", splits, 0.2, seed)
    held_out = Counter(name for split in drawn for name in split.test)
    assert held_out == Counter(dict.fromkeys(people, 1))
    for split in drawn:
        assert split.train == set(people) - split.test
        assert set(count(people, split.test)) == set(count(people, split.train)) == set(everyone)
    assert drawn == split_patients(people, "k-fold", splits, 0.5, seed)


PEOPLE = {f"p{n:02d}": CLASSES[n % 3] for n in range(30)}


@pytest.mark.parametrize("method", ["repeated", "k-fold"])
def test_another_seed_draws_other_patients(method):
    first, second = (split_patients(PEOPLE, method, 5, 0.2, seed) for seed in (0, 1))
    assert [split.test for split in first] != [split.test for split in second]


def test_repeated_splits_are_drawn_independently_and_stratified():
    drawn = split_patients(PEOPLE, "repeated", 10, 0.2, 0)
    assert len({split.test for split in drawn}) > 5
    for split in drawn:
        assert count(PEOPLE, split.test) == dict.fromkeys(CLASSES, 2)


def test_a_rare_label_stands_on_both_sides_of_every_split():
    people = {f"p{n:03d}": "none" for n in range(100)} | {"q1": "severe", "q2": "severe"}
    for split in split_patients(people, "repeated", 10, 0.2, 0):
        assert len({"q1", "q2"} & split.test) == 1


@pytest.mark.parametrize(
    ("people", "method", "splits", "held_out", "message"),
    [
        ({"a": "none", "b": "none", "c": "mild"}, "repeated", 1, 0.2, "'mild' has 1 patient;"),
        (PEOPLE, "k-fold", 11, 0.2, "'none' has 10 patients; k-fold with 11 splits needs at le"),
        (PEOPLE, "repeated", 1, 0.95, "set split.held_out lower"),
        (PEOPLE, "k-fold", 1, 0.2, "--set split.splits=5"),
    ],
)
def test_too_few_patients_are_an_error_that_says_what_to_do(
    people, method, splits, held_out, message
):
    with pytest.raises(CohortError, match=message):
        split_patients(people, method, splits, held_out, 0)


def test_numbers_match_by_value_and_words_by_letter():
    got = labelled(ref("a", "1"), ref("b", "1.0"), ref("c", " 2.00 "), ref("d", "0"), ref("e", "x"))
    assert got.clips == {"a": "mild", "b": "mild", "c": "severe", "d": "none"}
    words = label(
        Cohort((ref("a", "sick"), ref("b", " well"))),
        "grade",
        {"sick": "x", "well": "y"},
        ("y", "x"),
        "drop",
    )
    assert words.clips == {"a": "x", "b": "y"}


def test_what_is_left_out_is_counted_by_reason():
    clips = [ref("a", "0"), ref("b", "2"), ref("c", "0.5"), ref("d", "0.50"), ref("e", "7")]
    got = labelled(*clips, ref("f", None), ref("g", ""))
    assert got.clips == {"a": "none", "b": "severe"}
    assert sum(got.dropped.values()) == 5
    assert got.dropped["no grade"] == 2
    assert got.dropped["grade '7' is not in the task's map"] == 1
    assert (
        sum(n for reason, n in got.dropped.items() if "is dropped by the task's map" in reason) == 2
    )
    assert set(got.patients) == {"a", "b"}


def test_the_most_severe_clip_decides_a_patient():
    clips = [ref("a", "0", "p"), ref("b", "2", "p"), ref("c", "1", "p"), ref("d", "0", "q")]
    for order in (clips, clips[::-1]):
        assert labelled(*order).patients == {"p": "severe", "q": "none"}


def test_patients_are_compared_exactly():
    got = labelled(ref("a", "0", "30"), ref("b", "2", "130"), ref("c", "1", "300"))
    assert got.patients == {"30": "none", "130": "severe", "300": "mild"}
    people = {"30": "none", "130": "none", "x": "mild", "y": "mild"}
    sides = [split.side("30") for split in split_patients(people, "repeated", 20, 0.5, 0)]
    others = [split.side("130") for split in split_patients(people, "repeated", 20, 0.5, 0)]
    assert sides != others


def test_one_class_alone_is_an_error_that_names_the_columns_and_what_was_left_out():
    with pytest.raises(CohortError, match=r"leave 1 classes.*Columns present: grade.*no grade"):
        labelled(ref("a", "0"), ref("b", "0"), ref("c", None))
    with pytest.raises(CohortError, match=r"Columns present: grade"):
        label(Cohort((ref("a"), ref("b", "2"))), "sevrity", MAP, CLASSES, "drop")


def test_rejections_are_named_and_nothing_is_lost():
    found = [
        Rejection("notes.txt", "not a clip"),
        ref("a", view="CV"),
        ref("a", view="A4C"),
        ref("b", view="PLAX"),
        ref("c", view=None),
        ClipRef("d", "", "A4C"),
        ref("e", view="A4C"),
    ]
    clips, rejected = separate(found, ("A4C",), {"CV": "A4C"})
    assert [(c.clip, c.view) for c in clips] == [("a", "A4C"), ("e", "A4C")]
    assert [r.where for r in rejected] == ["notes.txt", "a", "b", "c", "d"]
    reasons = [r.reason for r in rejected]
    assert reasons[0] == "not a clip"
    assert "already in the cohort" in reasons[1]
    assert "'PLAX' is not in use (views in use: A4C)" in reasons[2]
    assert "view is unknown" in reasons[3]
    assert "no patient" in reasons[4]
    assert len(clips) + len(rejected) == len(found)


def test_a_cohort_without_a_clip_is_an_error_that_counts_the_reasons():
    found = [ref(name, view="PLAX") for name in "abc"] + [Rejection("x", "broken")]
    with pytest.raises(CohortError, match=r"3 × its view 'PLAX' is not in use.*1 × broken"):
        gather(found, ("A4C",), {})
    with pytest.raises(CohortError, match="none was found"):
        gather([], ("A4C",), {})


def test_the_table_has_every_clip_with_its_label_and_side():
    refs = [ref(f"c{n}", "02"[n % 2], f"p{n}") for n in range(10)] + [ref("odd", "0.5")]
    cohort = Cohort(tuple(refs), (Rejection("notes.txt", "not a clip"),))
    labels = label(cohort, "grade", MAP, CLASSES, "drop")
    splits = split_patients(labels.patients, "repeated", 2, 0.4, 0)
    rows = cohort_table(cohort, {"severity": labels}, {"severity": splits}).set_index("clip")
    assert list(rows.index) == [*(f"c{n}" for n in range(10)), "odd", "notes.txt"]
    for n in range(10):
        assert rows.loc[f"c{n}", "severity_label"] == ("none", "severe")[n % 2]
        for split in splits:
            assert rows.loc[f"c{n}", f"severity_split_{split.index:02d}"] == split.side(f"p{n}")
    assert rows.loc["odd", "severity_split_00"] == ""
    assert tuple(rows.loc["notes.txt", ["status", "reason"]]) == ("rejected", "not a clip")
    assert not rows.isna().any().any()
