"""Recipes laid over one another, saved, loaded back and told apart by their digest."""

from __future__ import annotations

import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echokit.recipe import Recipe, load_recipe
from echokit.recipe.settings import merge, override

pytestmark = pytest.mark.usefixtures("tiny_plugin")


def load(*settings: str, **more) -> Recipe:
    return load_recipe("tiny-study", settings=settings, **more)


names = st.text(string.ascii_lowercase, min_size=1, max_size=3)
tables = st.recursive(st.integers(), lambda t: st.dictionaries(names, t, max_size=3), max_leaves=8)
documents = st.dictionaries(names, tables, max_size=4)


# how long a busy machine takes to draw a document is no fault of the code
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(documents, documents)
def test_merging_changes_neither_and_the_upper_wins_everywhere(base, over):
    before = repr((base, over))
    merged = merge(base, over)
    assert repr((base, over)) == before
    assert merge(merged, over) == merged
    assert merge(base, {}) == base
    assert set(merged) == set(base) | set(over)
    assert all(merged[k] == v for k, v in over.items() if not isinstance(v, dict))


@given(documents.filter(bool), st.data(), st.integers())
def test_setting_a_key_changes_that_key_alone(document, data, value):
    key = data.draw(st.sampled_from(sorted(document)))
    assert override(document, (key,), value) == document | {key: value}


text = st.text(max_size=8)
scalars = text | st.integers(-(2**53), 2**53) | st.booleans() | st.floats(allow_nan=False)
options = st.dictionaries(
    text.filter(lambda k: k not in ("use", "options") and not k.startswith(("model_", "_"))),
    scalars | st.lists(scalars, max_size=3) | st.dictionaries(text, scalars, max_size=2),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(options, st.text(), st.integers(0, 2**32 - 1), st.floats(1e-12, 1e3))
def test_a_saved_recipe_loads_back_equal(tmp_path, options, title, seed, rate):
    recipe = load()
    recipe = Recipe.model_validate(
        recipe.model_dump(exclude_none=True)
        | {"backbone": {"use": "x"} | options, "title": title, "seed": seed}
        | {"train": recipe.train.model_dump() | {"lr": rate}}
    )
    (tmp_path / "saved.toml").write_text(recipe.to_toml(), "utf-8")
    again = load_recipe(str(tmp_path / "saved.toml"))
    assert again == recipe
    assert again.digest() == recipe.digest()


@pytest.mark.parametrize("value", ["inf", "-inf", "2022-09-27", "2022-09-27T08:00:00Z", "07:30:00"])
def test_every_kind_of_toml_value_survives_in_an_option(tmp_path, value):
    recipe = load(f"backbone.x={value}", f"backbone.y=[{value}]")
    assert recipe.digest() != load().digest()
    (tmp_path / "saved.toml").write_text(recipe.to_toml(), "utf-8")
    assert load_recipe(str(tmp_path / "saved.toml")) == recipe


def test_the_digest_does_not_change_with_what_changes_no_result():
    digest = load().digest()
    for setting in ("compute.jobs=2", "compute.device=cpu", "report.examples=5"):
        assert load(setting).digest() == digest
    as_fast = load("train.epochs=1", "evaluate.bootstrap=20", preset="")
    assert as_fast.digest() == digest


@pytest.mark.parametrize(
    "setting",
    [
        "seed=4",
        "data.source=x",
        "views.use=['A4C']",
        "tasks.severity.map.'1'=none",
        "split.splits=3",
        "prepare.flip.axis=2",
        "prepare.flip=false",
        "sequences.k=5",
        "augment.flip={use='tiny-flip'}",
        "normalise={use='tiny-flip'}",
        "backbone.width=5",
        "approaches.spatial={k=1}",
        "train.lr=0.1",
        "train.balanced=false",
        "aggregate.view.weight=2",
        "explain.power=2",
        "evaluate.bootstrap=30",
    ],
)
def test_the_digest_changes_with_everything_else(setting):
    assert load(setting).digest() != load().digest()


def test_the_digest_changes_with_the_order_of_the_steps():
    first, second = ("augment.a={use='tiny-flip'}", "augment.b={use='tiny-flip', axis=2}")
    assert load(first, second).digest() != load(second, first).digest()
    assert load(first, second).digest() == load(first, second).digest()


@pytest.mark.parametrize(
    "setting",
    [
        "aggregate.view.weight=2",
        "explain.power=2",
        "split.splits=3",
        "views.use=['A4C']",
        "sequences.n=4",
        "crossfit.folds=3",
    ],
)
def test_networks_are_kept_when_the_votes_or_the_explainer_change(setting):
    assert load(setting).training_digest() == load().training_digest()


@pytest.mark.parametrize(
    "setting",
    [
        "seed=4",
        "train.lr=0.1",
        "backbone.width=5",
        "sequences.k=5",
        "augment.flip={use='tiny-flip'}",
    ],
)
def test_networks_are_trained_again_when_their_training_changes(setting):
    assert load(setting).training_digest() != load().training_digest()
