"""From a recipe's slots to working components."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from echokit.clips.preparation import Preparation, signature
from echokit.errors import DataError, OptionError, UsageError
from echokit.interfaces import Aggregator, Executor, Explainer, Loader, SupportsFit, Transform
from echokit.plugins.registry import registry, resolve
from echokit.recipe import Recipe, Slot

if TYPE_CHECKING:
    import pandas as pd
if TYPE_CHECKING:
    from echokit.networks.fused import FusedNetwork

if TYPE_CHECKING:
    from torch import nn

    from echokit.clips.sequences import SequenceSpec

IN_CHANNELS = 1
"""Prepared clips are grey."""


def make_loader(slot: Slot, **more: object) -> Loader:
    """The loader that a slot names; `more` overrides its options."""
    loader: Loader = resolve("loader", slot.use, **{"source": ""} | slot.options | more)
    return loader


def make_transforms(slots: Iterable[Slot]) -> tuple[Transform, ...]:
    """The transforms that slots name, in order."""
    return tuple(resolve("transform", slot.use, **slot.options) for slot in slots)


def make_preparation(recipe: Recipe) -> Preparation:
    """The transforms that prepare a clip, with the text that tells them apart."""
    slots = tuple(recipe.prepare.values())
    found = [registry().find("transform", slot.use) for slot in slots]
    steps = [
        (component.full_name, component.version, slot.options)
        for component, slot in zip(found, slots, strict=True)
    ]
    return Preparation(make_transforms(slots), signature(steps))


def make_sequence_spec(recipe: Recipe, training: bool) -> SequenceSpec:
    """What is cut out of a clip; augmented only for training."""
    from echokit.clips.sequences import SequenceSpec

    return SequenceSpec(
        n=recipe.sequences.n,
        k=recipe.sequences.k,
        augment=make_transforms(recipe.augment.values()) if training else (),
        share=recipe.train.augment if training else 0.0,
        normalise=make_transforms([recipe.normalise])[0] if recipe.normalise else None,
    )


def make_model(recipe: Recipe, classes: int) -> nn.Module:
    """The network that the recipe names, with the weights it starts training from.

    Raises:
        OptionError: the weights cannot be had or do not fit, or an encoder that stays as it is
            would start from none.
    """
    model = _network(recipe.backbone, classes)
    _refuse_random_encoder(recipe.backbone, model)
    return model


def _network(slot: Slot, classes: int) -> nn.Module:
    model: nn.Module = resolve(
        "backbone", slot.use, num_classes=classes, in_channels=IN_CHANNELS, **slot.options
    )
    return model


def _refuse_random_encoder(slot: Slot, model: nn.Module) -> None:
    """Most of a network is frozen, and the option that would have given it weights says none."""
    option = registry().find("backbone", slot.use).options.get("weights")
    if option is None or slot.options.get("weights", option.default) != "none":
        return
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    if sum(n if learns else -n for n, learns in sizes) < 0:  # a fixed table may well be random
        raise OptionError(
            f"The backbone {slot.use!r} trains a head on an encoder that stays as it is, and "
            "without weights that encoder is random: type --set backbone.weights=PATH, the file "
            "of an encoder that has learned."
        )


def load_model(recipe: Recipe, classes: int, weights: Path) -> nn.Module:
    """The network that the recipe names, with trained weights, ready to predict."""
    from echokit.networks.checkpoint import load_weights
    from echokit.networks.job import device_of

    return load_weights(bare_model(recipe, classes), weights, device_of(recipe.compute.device))


def bare_model(recipe: Recipe, classes: int) -> nn.Module:
    """The network without the weights that training starts from, which may not be here."""
    import torch

    options = {k: v for k, v in recipe.backbone.options.items() if k != "weights"}
    with torch.random.fork_rng():  # the weights that are drawn here are not kept
        return _network(Slot(use=recipe.backbone.use, **options), classes)


def try_components(recipe: Recipe, *, start: bool = False) -> None:
    """Make every component once, so that a wrong option shows before minutes of work.

    Args:
        recipe: what uses them.
        start: make networks with the weights that training starts from too, as a run must that has
            yet to train; else those weights need not be here.

    Raises:
        OptionError: a component cannot be made with its options.
    """
    import torch

    make_preparation(recipe)
    make_sequence_spec(recipe, training=True)
    make_aggregator(recipe.aggregate.view)
    make_aggregator(recipe.aggregate.subject)
    for slot in recipe.fusion.values():
        make_aggregator(slot)
    if recipe.explain is not None:
        make_explainer(recipe.explain)
    if recipe.executor is not None:
        make_executor(recipe)
    make = make_model if start else bare_model
    for name in recipe.enabled_approaches:
        with torch.random.fork_rng():
            make(recipe.of_approach(name), 2)


def make_aggregator(slot: Slot) -> Aggregator:
    """The voting rule that a slot names."""
    aggregator: Aggregator = resolve("aggregator", slot.use, **slot.options)
    return aggregator


def make_explainer(slot: Slot) -> Explainer:
    """The explainer that a slot names."""
    explainer: Explainer = resolve("explainer", slot.use, **slot.options)
    return explainer


def make_executor(recipe: Recipe) -> Executor:
    """What runs the recipe's independent jobs: `[executor]`, else this machine.

    An executor that has the option `jobs` takes `compute.jobs` where `[executor]` does not say.
    """
    slot = recipe.executor or Slot(use="local")
    usual = {"jobs": recipe.compute.jobs}
    taken = registry().find("executor", slot.use).options
    options = {name: value for name, value in usual.items() if name in taken} | slot.options
    executor: Executor = resolve("executor", slot.use, **options)
    return executor


def make_fused(recipe: Recipe, classes: int) -> FusedNetwork:
    """The recipe's backbone once for each view, its output taken as features, under one head."""
    from echokit.networks.fused import FusedNetwork

    width = recipe.feature_fusion.embedding
    encoders = [make_model(recipe, width) for _ in recipe.views.use]
    return FusedNetwork(encoders, width, classes)


def load_fused(recipe: Recipe, classes: int, weights: Path) -> FusedNetwork:
    """A trained network over all views, ready to predict."""
    import torch

    from echokit.networks.checkpoint import load_weights
    from echokit.networks.fused import FusedNetwork

    width = recipe.feature_fusion.embedding
    with torch.random.fork_rng():  # the weights that are drawn here are not kept
        encoders = [bare_model(recipe, width) for _ in recipe.views.use]
        fused = FusedNetwork(encoders, width, classes)
    network = load_weights(fused, weights)
    assert isinstance(network, FusedNetwork)
    return network


def fitted_aggregator(
    slot: Slot, crossfit: pd.DataFrame | None, classes: tuple[str, ...]
) -> Aggregator:
    """The voting rule of views that a slot names, fitted on training patients if it learns.

    Args:
        slot: the rule.
        crossfit: rows of `crossfit.parquet` of one task, approach and split; None for none.
        classes: the task's label names, least severe first.

    Raises:
        UsageError: the rule learns, and there is nobody to learn from.
    """
    from echokit.evaluation.voting_rules import fit
    from echokit.voting.ballots import ballots

    aggregate = make_aggregator(slot)
    views = [] if crossfit is None or crossfit.empty else list(crossfit["view"].unique())
    try:
        return fit(aggregate, ballots(crossfit, classes, views))
    except DataError as error:
        raise UsageError(
            f"The voting rule {slot.use!r} cannot be fitted: {error}. Type --set crossfit.folds=2, "
            "or take a rule that learns nothing: --set aggregate.subject=majority-vote."
        ) from error


def subject_rule(
    recipe: Recipe, crossfit: Path, classes: tuple[str, ...], **place: str | int
) -> Aggregator:
    """The recipe's voting rule of views, ready to use in one place.

    Args:
        recipe: names the rule.
        crossfit: `crossfit.parquet`, which a rule that learns is fitted on.
        classes: the task's label names, least severe first.
        place: `task`, `approach` and `split`.

    Raises:
        UsageError: the rule learns, and there is nobody to learn from.
    """
    slot = recipe.aggregate.subject
    rule = make_aggregator(slot)
    if not isinstance(rule, SupportsFit):
        return rule
    rows = _table(crossfit)
    if rows is not None:
        rows = rows[rows["level"] == "view"]
        for column, value in place.items():
            rows = rows[rows[column] == value]
    return fitted_aggregator(slot, rows, classes)


def _table(path: Path) -> pd.DataFrame | None:
    import pandas as pd

    return pd.read_parquet(path) if path.is_file() else None
