"""Make the component that a slot of a recipe names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from echokit.clips.preparation import Preparation, signature
from echokit.clips.sequences import SequenceSpec
from echokit.errors import DataError, UsageError
from echokit.executors.local import local
from echokit.interfaces import (
    Aggregator,
    Executor,
    Explainer,
    SupportsFit,
    Transform,
)
from echokit.plugins.registry import registry, resolve
from echokit.recipe import Recipe, Slot
from echokit.voting.abstain import AbstentionRule

if TYPE_CHECKING:  # a bundle predicts without torch, and without pandas until its votes are counted
    from echokit.voting.table import PredictionTable


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
    """Make the specification of sequences, with augmentation only for training."""
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


def make_abstention(recipe: Recipe) -> AbstentionRule:
    """Make the rule that says which subjects are not judged; by default all are."""
    abstain = recipe.aggregate.abstain
    return AbstentionRule() if abstain is None else AbstentionRule(**abstain.model_dump())


def make_explainer(slot: Slot) -> Explainer:
    """Make the explainer that a slot names."""
    explainer: Explainer = resolve("explainer", slot.use, **slot.options)
    return explainer


def make_executor(recipe: Recipe) -> Executor:
    """Make the executor of independent jobs: that of `[executor]`, or by default this machine.

    An executor with the option `jobs` uses `compute.jobs` unless `[executor]` sets it.
    """
    slot = recipe.executor
    if slot is None:
        return local(jobs=recipe.compute.jobs)
    options = registry().find("executor", slot.use).options
    defaults = {"jobs": recipe.compute.jobs} if "jobs" in options else {}
    executor: Executor = resolve("executor", slot.use, **defaults | slot.options)
    return executor


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
        UsageError: the rule learns, and there are no training patients.
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
