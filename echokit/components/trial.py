"""Make every component of a recipe once, to find wrong options early."""

from __future__ import annotations

import torch
from torch import nn

from echokit.components.networks import bare_model, make_model
from echokit.components.parts import make_parts
from echokit.components.slots import (
    make_aggregator,
    make_executor,
    make_sequence_spec,
)
from echokit.errors import PluginError
from echokit.interfaces import SupportsCheck
from echokit.networks.job import device_of
from echokit.recipe import Recipe
from echokit.recipe.demo import with_start


def try_components(recipe: Recipe, *, start: bool = False) -> None:
    """Make every component once, so that a wrong option fails before minutes of work.

    Args:
        recipe: names the components.
        start: make networks with the weights from which training starts, which a run without
            trained networks needs.

    Raises:
        OptionError: a component cannot be made with its options.
        PluginError: the explainer cannot explain a network.
        UsageError: there is no such device as `compute.device`.
    """
    device_of(recipe.compute.device)
    make_sequence_spec(recipe, training=True)
    make_aggregator(recipe.aggregate.subject)
    for slot in recipe.fusion.values():
        make_aggregator(slot)
    if recipe.executor is not None:
        make_executor(recipe)
    make = make_model if start else bare_model
    for name in recipe.enabled_approaches:
        parts = make_parts(recipe, name)
        with torch.random.fork_rng():
            of_view = with_start(parts.recipe, recipe.views.networks[0]) if start else parts.recipe
            network = make(of_view, 2)
        if isinstance(parts.explainer, SupportsCheck):
            _check_explained(parts.explainer, network, name)


def _check_explained(explainer: SupportsCheck, network: nn.Module, approach: str) -> None:
    """Refuse an explainer that cannot explain the network of an approach.

    Raises:
        PluginError: it cannot, which a run would else find out once all networks are trained.
    """
    try:
        explainer.check(network)
    except PluginError as error:
        raise PluginError(
            f"The explainer cannot explain the network of {approach}. {error} Or take another "
            "explainer, or none: --set explain=false."
        ) from error
