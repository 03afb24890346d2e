"""Make and load the networks that a recipe names. Importing this imports torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import nn

from echokit.errors import OptionError
from echokit.networks.checkpoint import load_weights
from echokit.networks.features import WithFeatures, with_features
from echokit.networks.fused import FusedNetwork
from echokit.networks.job import device_of
from echokit.plugins.registry import registry, resolve
from echokit.recipe import Recipe, Slot
from echokit.recipe.demo import with_start

IN_CHANNELS = 1
"""Prepared clips are grey."""


def make_model(recipe: Recipe, classes: int) -> nn.Module:
    """Make the network that the recipe names, with the weights from which training starts.

    Raises:
        OptionError: the weights are not available or do not fit, or a frozen encoder has none.
    """
    model = _network(recipe.backbone, classes)
    _refuse_random_encoder(recipe.backbone, model)
    return model


def bare_model(recipe: Recipe, classes: int) -> nn.Module:
    """Make the network without the weights from which training starts; they may be missing."""
    options = {k: v for k, v in recipe.backbone.options.items() if k != "weights"}
    with torch.random.fork_rng():  # trained weights replace those drawn here
        return _network(Slot(use=recipe.backbone.use, **options), classes)


def load_model(recipe: Recipe, classes: int, weights: Path) -> nn.Module:
    """Load the network that the recipe names, with trained weights, ready to predict."""
    return load_weights(bare_model(recipe, classes), weights, device_of(recipe.compute.device))


def load_featured(
    network: nn.Module, sample: Float32[np.ndarray, "B C T H W"]
) -> WithFeatures | None:
    """Return the network with its features beside its logits; None if they cannot be read."""
    device = next(network.parameters()).device
    return with_features(network, torch.from_numpy(sample).to(device))


def make_fused(recipe: Recipe, classes: int) -> FusedNetwork:
    """Make the network of feature fusion; the recipe's backbone encodes each view."""
    width = recipe.feature_fusion.embedding
    encoders = [make_model(with_start(recipe, view), width) for view in recipe.views.use]
    return FusedNetwork(encoders, width, classes)


def load_fused(recipe: Recipe, classes: int, weights: Path) -> FusedNetwork:
    """Load a trained network of feature fusion, ready to predict."""
    width = recipe.feature_fusion.embedding
    with torch.random.fork_rng():  # trained weights replace those drawn here
        encoders = [bare_model(recipe, width) for _ in recipe.views.use]
        fused = FusedNetwork(encoders, width, classes)
    network = load_weights(fused, weights, device_of(recipe.compute.device))
    assert isinstance(network, FusedNetwork)
    return network


def _network(slot: Slot, classes: int) -> nn.Module:
    model: nn.Module = resolve(
        "backbone", slot.use, num_classes=classes, in_channels=IN_CHANNELS, **slot.options
    )
    return model


def _refuse_random_encoder(slot: Slot, model: nn.Module) -> None:
    """Refuse a network that is mostly frozen while its option for weights says none."""
    option = registry().find("backbone", slot.use).options.get("weights")
    if option is None or slot.options.get("weights", option.default) != "none":
        return
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    # a small frozen table, such as positional encodings, is no encoder: compare the sizes
    if sum(n if learns else -n for n, learns in sizes) < 0:
        raise OptionError(
            f"The backbone {slot.use!r} trains a head on an encoder that stays as it is, and "
            "without weights that encoder is random: type --set backbone.weights=PATH, the file "
            "of an encoder that has learned."
        )
