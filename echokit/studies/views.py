"""The view of a clip that bears none, told by the network of a run such as `echo-view`.

The network chooses among the views it learned: a clip of any other looks like one of them to it,
which the threshold catches often and not always. So a view that is annotated is never questioned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from echokit.clips.preparation import prepare, too_short
from echokit.clips.store import Store
from echokit.components import (
    load_model,
    make_aggregator,
    make_preparation,
    make_sequence_spec,
)
from echokit.engines.engine import need_torch
from echokit.errors import ClipError, UsageError
from echokit.folder import RunFolder
from echokit.interfaces import Loader
from echokit.recipe import TOGETHER, Recipe
from echokit.system.files import read_json
from echokit.system.progress import Progress
from echokit.types import ClipRef, Rejection

if TYPE_CHECKING:
    from torch import nn

RECIPE = "echo-view"
"""Name of the recipe whose newest run is taken where none is named."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """A network that tells views, and from when on it is believed."""

    run: str
    """Name of the run that trained it."""
    recipe: Recipe
    """Of that run: clips are prepared for this network as it learned them."""
    classes: tuple[str, ...]
    """The views it can tell."""
    weights: Path
    """Of the run's first split."""
    threshold: float
    """Confidence in [0, 1] from which on its word is taken."""
    synthetic: bool
    """True if it learned from a synthetic cohort."""


def find_view_run(run: Path) -> Path:
    """The newest finished run of the recipe `echo-view` beside a run.

    Raises:
        UsageError: there is none.
    """
    finished = {}
    for path in run.resolve().parent.iterdir():
        try:
            state = RunFolder.open(path).state
        except UsageError:
            continue
        if state.get("recipe") == RECIPE and state.get("finished"):
            finished[path] = str(state["finished"])
    if not finished:
        raise UsageError(
            f"No finished run of {RECIPE} stands beside {run}, and --view auto needs its network. "
            f"Make one with `echokit run {RECIPE} --out {run.parent / RECIPE}`, or name one with "
            "--view-run."
        )
    return max(finished, key=lambda path: (finished[path], path.name))


def open_viewer(folder: Path, threshold: float) -> Viewer:
    """Open a finished run to tell views with.

    Args:
        folder: the run's folder.
        threshold: confidence in [0, 1] from which on its word is taken.

    Raises:
        UsageError: the folder is not a run, does not tell views, or is not trained yet; or the
            threshold is no probability.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"The view threshold {threshold:g} is no probability: 0 to 1.")
    need_torch("Telling views by a network")
    opened = RunFolder.open(folder)
    recipe = opened.recipe()
    if not recipe.views.together or not recipe.view_tasks:
        raise UsageError(
            f"{folder} is a run of {recipe.name}, which does not tell views. "
            f"`echokit run {RECIPE}` makes one that does."
        )
    approach = recipe.enabled_approaches[0]
    stem = opened.models / recipe.view_tasks[0] / approach / TOGETHER / "split-00"
    weights = stem.with_suffix(".safetensors")
    if not weights.is_file():
        raise UsageError(
            f"{folder} holds no trained network. Finish it with `echokit run --resume {folder}`."
        )
    return Viewer(
        run=folder.resolve().name,
        recipe=recipe.of_approach(approach),
        classes=tuple(read_json(stem.with_suffix(".json"))["classes"]),
        weights=weights,
        threshold=threshold,
        synthetic=bool(opened.state["synthetic"]),
    )


def fill_views(
    found: Iterable[ClipRef | Rejection],
    loader: Loader,
    viewer: Viewer,
    store: Store,
    progress: Progress,
) -> tuple[list[ClipRef | Rejection], dict[str, float]]:
    """Give every clip without a view the one that the network sees; leave all others alone.

    Args:
        found: what the loader found.
        loader: reads the clips.
        viewer: the network that tells views.
        store: where clips prepared for that network are kept.
        progress: who watches.

    Returns:
        What was found, in order, where a clip whose view stays unclear has become a rejection;
        and clip -> confidence in (0, 1] of each view that was filled in: the mean probability,
        over the voting sequences, of the view that won their vote. Their agreement would say
        less: ten sequences of one clip agree on a guess, too.
    """
    items = list(found)
    places = [n for n, item in enumerate(items) if isinstance(item, ClipRef) and not item.view]
    confidences: dict[str, float] = {}
    if not places:
        return items, confidences
    network = load_model(viewer.recipe, len(viewer.classes), viewer.weights)
    preparation = make_preparation(viewer.recipe)
    unknown = [item for item in items if isinstance(item, ClipRef) and not item.view]
    with progress.bar("Finding views", len(unknown), "clips") as tick:
        prepared = prepare(loader, unknown, preparation, store)
        for place, (ref, key) in zip(places, prepared, strict=True):
            try:
                view, confidence = _look(network, viewer, ref, key, store)
            except ClipError as error:
                items[place] = Rejection(ref.clip, str(error), ref.patient)
            else:
                items[place] = replace(ref, view=view)
                confidences.setdefault(ref.clip, confidence)
            tick(1)
    return items, confidences


def _look(
    network: nn.Module, viewer: Viewer, ref: ClipRef, key: str | ClipError, store: Store
) -> tuple[str, float]:
    """The view of one clip and its confidence.

    Raises:
        ClipError: it cannot be told; the message is the reason.
    """
    from echokit.clips.sequences import Item
    from echokit.engines.eager import run_eagerly
    from echokit.voting.votes import vote_clips

    spec = make_sequence_spec(viewer.recipe, training=False)
    reason = str(key) if isinstance(key, ClipError) else too_short(store, key, spec.k)
    if isinstance(key, ClipError) or reason:
        raise ClipError(f"its view is unknown and cannot be found: {reason}")
    item = Item(ref.clip, key, store.length(key), -1)
    aggregate = make_aggregator(viewer.recipe.aggregate.view)
    forward = run_eagerly(network).forward
    [voted] = vote_clips(forward, [item], viewer.classes, store, spec, aggregate)
    mean = dict(zip(viewer.classes, voted.votes.probabilities.mean(0).tolist(), strict=True))
    view = voted.prediction.label
    if mean[view] < viewer.threshold:
        likeliest = sorted(mean, key=lambda name: (name == view, mean[name]), reverse=True)[:2]
        shares = ", ".join(f"{name} {mean[name]:.2f}" for name in likeliest)
        raise ClipError(f"its view is unclear: {shares} (threshold {viewer.threshold:.2f})")
    return view, min(mean[view], 1.0)
