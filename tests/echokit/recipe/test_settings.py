"""What is typed after --set."""

from __future__ import annotations

import pytest

from echokit.recipe.settings import config_texts, loader_options, parse_setting


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


def test_options_of_a_loader_come_from_study_tables_and_settings(tmp_path):
    (tmp_path / "a.toml").write_text("[study]\ncolour = 'remove'\ncolumns = { patient = 'Nr' }\n")
    (tmp_path / "b.toml").write_text("[train]\nepochs = 3\n")
    options = loader_options(
        [tmp_path / "a.toml", tmp_path / "b.toml"], ["columns.view=Window", "study.view=A4C"]
    )
    assert options == {
        "colour": "remove",
        "columns": {"patient": "Nr", "view": "Window"},
        "view": "A4C",
    }


def test_keys_of_a_file_are_settings_too(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('seed = 3\n[train]\nlr = 0.5\n[tasks.t.map]\n"1.5" = "drop"\n')
    assert config_texts([path]) == ["seed=3", "train.lr=0.5", "tasks.t.map.'1.5'=\"drop\""]
    assert parse_setting(config_texts([path])[2]) == (("tasks", "t", "map", "1.5"), "drop")
