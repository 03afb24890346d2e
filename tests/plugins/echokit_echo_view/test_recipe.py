"""The shipped recipe `echo-view`: the view of a clip, seen the way `ph-newborn` sees one."""

from __future__ import annotations

from collections import Counter

import pytest

from echokit import VIEWS
from echokit.clips.store import Store
from echokit.components.cohorts import label_tasks
from echokit.components.trial import try_components
from echokit.recipe import Recipe, load_recipe
from echokit.runs.cohort import find_cohort
from echokit.system.progress import Silent


@pytest.fixture(scope="module", params=["full", "quick"])
def recipe(request) -> Recipe:
    return load_recipe("echo-view", preset=request.param)


def test_one_network_tells_the_canonical_views_apart(recipe):
    assert recipe.views.networks == ("all",)
    [task] = recipe.tasks.values()
    assert task.column == "view"
    assert task.labels == recipe.views.use == VIEWS
    assert task.map == {view: view for view in VIEWS}


def test_clips_take_the_same_path_as_those_of_ph_newborn(recipe):
    theirs = load_recipe("ph-newborn", preset="paper")
    for table in ("prepare", "augment"):
        steps, their_steps = getattr(recipe, table), getattr(theirs, table)
        assert [(n, s.use) for n, s in steps.items()] == [
            (n, s.use) for n, s in their_steps.items()
        ]
    assert recipe.normalise == theirs.normalise
    assert recipe.backbone.use == theirs.backbone.use
    assert recipe.aggregate == theirs.aggregate
    assert recipe.views.alias == theirs.views.alias
    assert recipe.study == theirs.study


def test_a_clip_that_can_be_judged_is_long_enough_to_tell_its_view(recipe):
    assert recipe.sequences.k <= load_recipe("ph-newborn").sequences.k


def test_quick_is_the_preset_taken(recipe):
    assert load_recipe("echo-view") == load_recipe("echo-view", preset="quick")


def test_its_components_can_be_made(recipe):
    recipe.check_components()
    try_components(recipe)


def test_every_clip_of_the_cohort_is_labelled_with_its_view(recipe, tmp_path):
    cohort = find_cohort(recipe, Store(tmp_path), Silent())
    [labels] = label_tasks(cohort, recipe).values()
    assert labels.clips == {ref.clip: ref.view for ref in cohort.clips}
    assert labels.dropped == {}
    assert set(Counter(labels.clips.values())) == set(VIEWS)
