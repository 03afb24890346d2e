"""From a recipe's slots to working components.

`make_parts` makes the components of one approach once, and they are handed on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from echokit.clips.preparation import Preparation, signature
from echokit.clips.sequences import SequenceSpec
from echokit.engines.engine import need_torch
from echokit.errors import DataError, EchokitError, OptionError, UsageError
from echokit.executors.local import local
from echokit.folder import RunFolder
from echokit.interfaces import (
    Aggregator,
    Executor,
    Explainer,
    Forward,
    Loader,
    SupportsFit,
    Transform,
)
from echokit.plugins.registry import registry, resolve
from echokit.recipe import TOGETHER, Recipe, Slot, load_recipe
from echokit.system.files import read_json
from echokit.voting.view_classifier import ViewClassifier

if TYPE_CHECKING:  # a bundle predicts without torch, and without pandas until its votes are counted
    from torch import nn

    from echokit.networks.fused import FusedNetwork
    from echokit.voting.table import PredictionTable

IN_CHANNELS = 1
"""Prepared clips are grey."""


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


def make_loader(slot: Slot, **more: object) -> Loader:
    """Make the loader that a slot names; `more` overrides its options."""
    loader: Loader = resolve("loader", slot.use, **{"source": ""} | slot.options | more)
    return loader


def make_transforms(slots: Iterable[Slot]) -> tuple[Transform, ...]:
    """Make the transforms that slots name, in order."""
    return tuple(resolve("transform", slot.use, **slot.options) for slot in slots)


def make_preparation(recipe: Recipe) -> Preparation:
    """Make the transforms that prepare a clip, with the text that identifies them."""
    slots = tuple(recipe.prepare.values())
    components = [registry().find("transform", slot.use) for slot in slots]
    steps = [
        (component.full_name, component.version, slot.options)
        for component, slot in zip(components, slots, strict=True)
    ]
    return Preparation(make_transforms(slots), signature(steps))


def make_sequence_spec(recipe: Recipe, training: bool) -> SequenceSpec:
    """Make the rule by which sequences are cut out of a clip; augmented only for training."""
    return SequenceSpec(
        n=recipe.sequences.n,
        k=recipe.sequences.k,
        augment=make_transforms(recipe.augment.values()) if training else (),
        share=recipe.train.augment if training else 0.0,
        normalise=make_transforms([recipe.normalise])[0] if recipe.normalise else None,
    )


def make_aggregator(slot: Slot) -> Aggregator:
    """Make the voting rule that a slot names."""
    aggregator: Aggregator = resolve("aggregator", slot.use, **slot.options)
    return aggregator


def make_explainer(slot: Slot) -> Explainer:
    """Make the explainer that a slot names."""
    explainer: Explainer = resolve("explainer", slot.use, **slot.options)
    return explainer


def make_executor(recipe: Recipe) -> Executor:
    """Make the executor of the recipe's independent jobs: `[executor]`, else this machine's.

    An executor that has the option `jobs` takes `compute.jobs` where `[executor]` does not say.
    """
    slot = recipe.executor
    if slot is None:
        return local(jobs=recipe.compute.jobs)
    options = registry().find("executor", slot.use).options
    usual = {"jobs": recipe.compute.jobs} if "jobs" in options else {}
    executor: Executor = resolve("executor", slot.use, **usual | slot.options)
    return executor


def make_model(recipe: Recipe, classes: int) -> nn.Module:
    """Make the network that the recipe names, with the weights it starts training from.

    Raises:
        OptionError: the weights cannot be had or do not fit, or an encoder that stays as it is
            would start from none.
    """
    model = _network(recipe.backbone, classes)
    _refuse_random_encoder(recipe.backbone, model)
    return model


def bare_model(recipe: Recipe, classes: int) -> nn.Module:
    """Make the network without the weights that training starts from, which may not be here."""
    import torch

    options = {k: v for k, v in recipe.backbone.options.items() if k != "weights"}
    with torch.random.fork_rng():  # trained weights replace those drawn here
        return _network(Slot(use=recipe.backbone.use, **options), classes)


def load_model(recipe: Recipe, classes: int, weights: Path) -> nn.Module:
    """Load the network that the recipe names, with trained weights, ready to predict."""
    from echokit.networks.checkpoint import load_weights
    from echokit.networks.job import device_of

    return load_weights(bare_model(recipe, classes), weights, device_of(recipe.compute.device))


def make_fused(recipe: Recipe, classes: int) -> FusedNetwork:
    """Make the recipe's backbone once for each view, its output as features, under one head."""
    from echokit.networks.fused import FusedNetwork

    width = recipe.feature_fusion.embedding
    encoders = [make_model(recipe, width) for _ in recipe.views.use]
    return FusedNetwork(encoders, width, classes)


def load_fused(recipe: Recipe, classes: int, weights: Path) -> FusedNetwork:
    """Load a trained network over all views, ready to predict."""
    import torch

    from echokit.networks.checkpoint import load_weights
    from echokit.networks.fused import FusedNetwork

    width = recipe.feature_fusion.embedding
    with torch.random.fork_rng():  # trained weights replace those drawn here
        encoders = [bare_model(recipe, width) for _ in recipe.views.use]
        fused = FusedNetwork(encoders, width, classes)
    network = load_weights(fused, weights)
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
    # a small frozen table, such as positions, may well be random: the larger part decides
    if sum(n if learns else -n for n, learns in sizes) < 0:
        raise OptionError(
            f"The backbone {slot.use!r} trains a head on an encoder that stays as it is, and "
            "without weights that encoder is random: type --set backbone.weights=PATH, the file "
            "of an encoder that has learned."
        )


def try_components(recipe: Recipe, *, start: bool = False) -> None:
    """Make every component once, so that a wrong option shows before minutes of work.

    Args:
        recipe: names the components.
        start: make networks with the weights that training starts from too, as a run must that has
            yet to train; else those weights need not be here.

    Raises:
        OptionError: a component cannot be made with its options.
    """
    import torch

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
            make(parts.recipe, 2)


def open_view_classifier(folder: Path, threshold: float) -> ViewClassifier:
    """Open a finished run whose network tells views.

    Args:
        folder: the run's folder.
        threshold: confidence in [0, 1] from which on its answer is taken.

    Raises:
        UsageError: the folder is not a run, does not tell views, or is not trained yet; or the
            threshold is no probability.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"The view threshold {threshold:g} is no probability: 0 to 1.")
    need_torch("Telling views by a network")
    run = RunFolder.open(folder)
    recipe = run.recipe()
    if not _tells_views(recipe):
        raise UsageError(
            f"{folder} is a run of {recipe.name}, which does not tell views. {_how_to_tell_views()}"
        )
    approach = recipe.enabled_approaches[0]
    stem = run.models / recipe.view_tasks[0] / approach / TOGETHER / "split-00"
    weights = stem.with_suffix(".safetensors")
    if not weights.is_file():
        raise UsageError(
            f"{folder} holds no trained network. Finish it with `echokit run --resume {folder}`."
        )
    classes = tuple(read_json(stem.with_suffix(".json"))["classes"])
    parts = make_parts(recipe, approach)

    def load() -> Forward:
        from echokit.engines.eager import run_eagerly

        return run_eagerly(load_model(parts.recipe, len(classes), weights)).forward

    return ViewClassifier(
        run=folder.resolve().name,
        classes=classes,
        preparation=parts.preparation,
        voting=parts.voting,
        rule=parts.view_rule,
        open=load,
        threshold=threshold,
        synthetic=bool(run.state["synthetic"]),
    )


def newest_view_run(run: Path) -> Path:
    """Return the newest finished run beside a run whose network tells views.

    Raises:
        UsageError: there is none.
    """
    finished = {}
    for path in run.resolve().parent.iterdir():
        try:
            folder = RunFolder.open(path)
            if folder.state.get("finished") and _tells_views(folder.recipe()):
                finished[path] = str(folder.state["finished"])
        except EchokitError:
            continue
    if not finished:
        raise UsageError(
            f"No finished run that tells views stands beside {run}, and --view auto needs its "
            f"network. {_how_to_tell_views()} Or name one with --view-run."
        )
    return max(finished, key=lambda path: (finished[path], path.name))


def _tells_views(recipe: Recipe) -> bool:
    return recipe.views.together and bool(recipe.view_tasks)


def _how_to_tell_views() -> str:
    """Name the installed recipes whose runs tell views."""
    recipes = [component.name for component in registry().of_kind("recipe")]
    able = [name for name in recipes if _tells_views(load_recipe(name))]
    if not able:
        return "No installed recipe makes one that does."
    return f"Make one with {' or '.join(f'`echokit run {name}`' for name in able)}."


def subject_rule(
    slot: Slot, classes: tuple[str, ...], training: Callable[[], PredictionTable]
) -> Aggregator:
    """Make the voting rule of views that a slot names, fitted on training patients if it learns.

    Args:
        slot: names the rule.
        classes: the task's label names, least severe first.
        training: reads predictions of training patients of one task, approach and split, by
            networks that did not learn from them; called only if the rule learns.

    Raises:
        UsageError: the rule learns, and there is nobody to learn from.
    """
    rule = make_aggregator(slot)
    if not isinstance(rule, SupportsFit):
        return rule
    from echokit.voting.ballots import ballots, fit

    try:
        return fit(rule, ballots(training(), classes))
    except DataError as error:
        raise UsageError(
            f"The voting rule {slot.use!r} cannot be fitted: {error}. Type --set crossfit.folds=2, "
            "or choose a rule that learns nothing with --set aggregate.subject=NAME "
            "(`echokit plugins list --kind aggregator`)."
        ) from error
