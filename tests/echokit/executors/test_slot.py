"""The recipe's `[executor]`: what it names, what it takes, and what it leaves as it was."""

from __future__ import annotations

from typing import Any

import pytest

from echokit import OptionError, RecipeError, hookimpl
from echokit.components.slots import make_executor
from echokit.components.trial import try_components
from echokit.executors.local import Local
from echokit.recipe import load_recipe


class Elsewhere:
    """An executor that keeps its options and has none called `jobs`."""

    @hookimpl
    def register_executors(self, register: Any) -> None:
        register("elsewhere", lambda *, queue="short": ("elsewhere", queue))


@pytest.fixture
def load(tiny_plugin, recipe_file):
    tiny_plugin.add(Elsewhere(), "echokit-elsewhere:x")
    return lambda *settings: load_recipe(str(recipe_file), settings=settings)


@pytest.mark.parametrize(
    ("settings", "jobs"),
    [
        ([], 1),
        (["compute.jobs=3"], 3),
        (["executor=local", "compute.jobs=3"], 3),
        (["executor.use=local", "executor.jobs=2", "compute.jobs=3"], 2),
    ],
)
def test_without_one_this_machine_runs_as_many_jobs_as_compute_says(load, settings, jobs):
    assert make_executor(load(*settings)) == Local(jobs)


def test_another_executor_takes_its_own_options(load):
    recipe = load("executor={use='elsewhere', queue='long'}", "compute.jobs=3")
    recipe.check_components()
    assert make_executor(recipe) == ("elsewhere", "long")


@pytest.mark.parametrize(
    "settings", [["executor=slurm"], ["executor={use='local', job=2}"], ["executor.use=tiny3d"]]
)
def test_what_does_not_exist_is_refused_before_anything_runs(load, settings):
    with pytest.raises(RecipeError):
        load(*settings).check_components()


def test_a_value_that_cannot_be_is_refused_before_anything_runs(load):
    with pytest.raises(OptionError):
        try_components(load("executor={use='local', jobs=0}"))


def test_where_jobs_run_changes_no_digest_and_is_saved_with_the_recipe(load, tmp_path):
    plain, elsewhere = load(), load("executor={use='elsewhere', queue='long'}")
    assert plain.digest() == elsewhere.digest()
    assert plain.training_digest() == elsewhere.training_digest()
    assert "executor" not in plain.to_toml()
    (tmp_path / "saved.toml").write_text(elsewhere.to_toml(), "utf-8")
    assert load_recipe(str(tmp_path / "saved.toml")) == elsewhere
