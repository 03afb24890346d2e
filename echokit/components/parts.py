"""The components of one approach, made once and handed on."""

from __future__ import annotations

from dataclasses import dataclass

from echokit.clips.preparation import Preparation
from echokit.clips.sequences import SequenceSpec
from echokit.components.slots import (
    make_aggregator,
    make_explainer,
    make_preparation,
    make_sequence_spec,
)
from echokit.interfaces import (
    Aggregator,
    Explainer,
)
from echokit.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Parts:
    """The components of one approach."""

    recipe: Recipe
    """Of the approach alone."""
    preparation: Preparation
    voting: SequenceSpec
    """How the sequences that vote are cut out of a clip."""
    view_rule: Aggregator
    """Aggregates the sequences of a clip to a prediction of its view."""
    explainer: Explainer | None
    """Makes saliency maps; None where the recipe wants none."""


def make_parts(recipe: Recipe, approach: str) -> Parts:
    """Make the components of one approach."""
    own = recipe.of_approach(approach)
    return Parts(
        recipe=own,
        preparation=make_preparation(own),
        voting=make_sequence_spec(own, training=False),
        view_rule=make_aggregator(own.aggregate.view),
        explainer=make_explainer(own.explain) if own.explain is not None else None,
    )
