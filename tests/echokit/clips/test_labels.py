"""What is said of annotations that a task's map does not know."""

import pytest

from echokit import ClipRef, Cohort, CohortError
from echokit.clips.labels import counted, label, shown_annotation


@pytest.mark.parametrize(
    ("written", "shown"),
    [("7", "7"), ("1.5", "1.5"), ("", ""), ("Muster", "(text)"), ("19900101", "(text)")],
)
def test_an_annotation_that_may_be_a_name_is_not_shown(written, shown):
    assert shown_annotation(written) == shown


def test_what_is_left_out_is_counted_in_words_and_no_name_is_among_them():
    clips = tuple(
        ClipRef(name, name, "A4C", {"grade": grade})
        for name, grade in {"a": "Muster", "b": "Huber", "c": "7", "d": "1"}.items()
    )
    with pytest.raises(CohortError) as caught:
        label(Cohort(clips), "grade", {"1": "mild", "2": "severe"}, ("mild", "severe"), "drop")
    said = str(caught.value)
    assert "2 × grade (text) is not in the task's map; 1 × grade '7' is not" in said
    assert "{" not in said
    assert counted({}) == ""
