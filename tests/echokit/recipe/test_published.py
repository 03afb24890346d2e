"""What a recipe may say of a publication."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from echokit.recipe import load_recipe
from echokit.recipe.published import Published, PublishedFinding

PAGE = Path(__file__).parents[3] / "docs" / "plugins" / "recipe.md"


def test_the_example_of_the_documentation_is_valid_and_has_each_part():
    text = re.search(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]
    found = Published.model_validate(tomllib.loads(text)["published"])
    assert [len(part or ()) for part in (found.tables, found.findings, found.figures)] == [1, 1, 1]


def test_a_row_that_does_not_fit_the_columns_is_refused():
    rows = {"t": {"a": {"v": [[0.5, 0.1]]}}}
    with pytest.raises(ValidationError, match=r"rows\.t\.a\.v has 1 figures for 2 columns"):
        Published(source="s", columns=("f1", "auroc"), rows=rows)


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", ".hidden"])
def test_a_name_that_would_leave_the_folder_of_tables_is_refused(name):
    table = {"name": name, "label": "Table", "columns": ["f1"]}
    with pytest.raises(ValidationError):
        Published(source="s", columns=(), rows={}, tables=[table])


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(ValidationError, match="did you mean 'higher'"):
        PublishedFinding(name="n", sentence="s", compare="views", highr=["a"], lower=["b"])


def test_what_is_published_decides_nothing_of_a_run():
    recipe = load_recipe("ph-newborn")
    assert recipe.published.findings
    bare = recipe.model_copy(update={"published": None})
    assert bare.digest() == recipe.digest()
