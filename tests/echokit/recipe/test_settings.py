"""What is typed after --set."""

from __future__ import annotations

import pytest

from echokit.recipe.settings import parse_setting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=3", (("seed",), 3)),
        ('tasks.severity.map."0.5"=drop', (("tasks", "severity", "map", "0.5"), "drop")),
        ("a.b=true", (("a", "b"), True)),
        ("a=[1, 2]", (("a",), [1, 2])),
        ("data.source=/data/echo study", (("data", "source"), "/data/echo study")),
        ("a='x=y'", (("a",), "x=y")),
        ("a=x=y", (("a",), "x=y")),
    ],
)
def test_settings_are_toml_keys_with_toml_values_or_plain_text(text, expected):
    assert parse_setting(text) == expected
