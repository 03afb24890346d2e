"""Wrong types of options are named in words; types that a signature cannot tell are let through."""

import inspect
from typing import Literal

import numpy as np
import pytest

from echokit.plugins.option_types import wanted_instead

FITTING = [
    ("int", 3),
    ("int", np.int64(3)),
    ("float", 3),
    ("float", 0.5),
    ("bool", True),
    ("str", "abc"),
    ("int | None", None),
    ("Literal['a', 'b']", "c"),
    ("Literal['auto'] | int", 4),
    ("Mapping[str, str]", 7),
    ("Sequence[str] | None", "x"),
    (inspect.Parameter.empty, object()),
    (int, 3),
    (Literal["a"], "a"),
]
OTHER = [
    ("int", "abc", "a whole number"),
    ("int", 1.5, "a whole number"),
    ("int", True, "a whole number"),
    ("float", "", "a number"),
    ("bool", "yes", "true or false"),
    ("bool", 1, "true or false"),
    ("str", 3, "a text"),
    ("int | None", "x", "a whole number or nothing"),
    (int, "abc", "a whole number"),
]


@pytest.mark.parametrize(("annotation", "value"), FITTING)
def test_a_fitting_value_and_an_unknown_type_pass(annotation, value):
    assert wanted_instead(annotation, value) == ""


@pytest.mark.parametrize(("annotation", "value", "words"), OTHER)
def test_another_type_is_answered_in_words(annotation, value, words):
    assert wanted_instead(annotation, value) == words
