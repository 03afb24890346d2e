"""docs/datasets.md: a section for each data set, and settings that a run takes."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import published
import pytest

import echokit_datasets
from echokit.components.cohorts import gather_cohort, label_tasks, split_cohort
from echokit.recipe import load_recipe

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text("utf-8")


def loaders():
    found = {}
    echokit_datasets.register_loaders(found.__setitem__)
    return found


@pytest.mark.parametrize("name", sorted(loaders()))
def test_every_data_set_says_its_command_licence_and_access_here_and_in_its_docstring(name):
    section = next(s for s in PAGE.split("\n## ")[1:] if f"`echokit data check {name}:" in s)
    text = inspect.getdoc(loaders()[name])
    (page,) = re.findall(r"\| access \| <(.*)> \|", section)
    assert f"Access: {page}. Nothing is downloaded." in text
    assert "Licence: " in text
    assert "| licence |" in section


def test_the_settings_on_the_page_make_the_published_split(tmp_path):
    task, split = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert set(tomllib.loads(task)) == {"tasks", "views"}
    # a set with a published split: its classes are the sides themselves
    task = task.replace('"class"', '"Split"').replace("Non-PAH", "TRAIN").replace("PAH", "TEST")
    settings = tmp_path / "settings.toml"
    settings.write_text(task + split)
    root = tmp_path / "set"
    root.mkdir()
    videos = {f"0X{n}": ("TRAIN", "TEST")[n % 2] for n in range(8)}
    source = str(published.echonet_dynamic(root, videos))
    recipe = load_recipe("ph-newborn", config=[settings])
    cohort = gather_cohort(recipe, list(echokit_datasets.echonet_dynamic(source).index()))
    (labels,) = label_tasks(cohort, recipe).values()
    (drawn,) = split_cohort(cohort, labels, recipe)
    assert drawn.test == {name for name, split in videos.items() if split == "TEST"}
