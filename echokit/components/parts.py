"""Make the components of one approach, once for all steps."""

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
    """Recipe with the changes of the approach."""
    preparation: Preparation
    voting: SequenceSpec
    """How voting sequences are cut out of a clip."""
    view_rule: Aggregator
    """Voting rule of the sequences of a clip."""
    explainer: Explainer | None
    """Makes saliency maps; None if the recipe has no explainer."""


def make_parts(recipe: Recipe, approach: str) -> Parts:
    """Make the components of one approach."""
    changed = recipe.of_approach(approach)
    return Parts(
        recipe=changed,
        preparation=make_preparation(changed),
        voting=make_sequence_spec(changed, training=False),
        view_rule=make_aggregator(changed.aggregate.view),
        explainer=make_explainer(changed.explain) if changed.explain is not None else None,
    )
