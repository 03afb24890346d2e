"""Open a run whose network predicts the views of clips."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from echokit.components.parts import make_parts
from echokit.engines.engine import need_torch
from echokit.errors import EchokitError, UsageError
from echokit.folder import RunFolder
from echokit.interfaces import (
    Forward,
)
from echokit.plugins.registry import registry
from echokit.recipe import TOGETHER, Recipe, load_recipe
from echokit.recipe.demo import demo_folders, resolve_demo
from echokit.system.checked import read_json
from echokit.voting.view_classifier import ViewClassifier


def open_view_classifier(folder: Path, threshold: float) -> ViewClassifier:
    """Open a finished run whose network predicts views.

    Args:
        folder: the run's folder.
        threshold: smallest accepted confidence, in [0, 1].

    Raises:
        UsageError: the folder is not a run, does not predict views, or is not trained yet; or the
            threshold is not a probability.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"The view threshold {threshold:g} is no probability: 0 to 1.")
    need_torch("Telling views by a network")
    folder = resolve_demo(folder)
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
    run.digests.require(stem.with_suffix(".json").relative_to(run.path).as_posix())
    classes = tuple(read_json(stem.with_suffix(".json"), "classes")["classes"])
    parts = make_parts(recipe, approach)

    @cache
    def load() -> Forward:
        # imported here, so that `need_torch` above can report a missing torch
        from echokit.components.networks import load_model
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


def newest_view_run(run: Path, *, demo: bool = True) -> Path:
    """Find the newest finished run in the same folder whose network predicts views.

    If there is none, the one that comes with echokit is taken, unless `demo` is False.

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
        for brought in demo_folders().values() if demo else ():
            if _tells_views(RunFolder.open(brought).recipe()):
                return brought
        raise UsageError(
            f"No finished run that tells views stands beside {run}, and --view auto needs its "
            f"network. {_how_to_tell_views()} Or name one with --view-run."
        )
    return max(finished, key=lambda path: (finished[path], path.name))


def _tells_views(recipe: Recipe) -> bool:
    return recipe.views.together and bool(recipe.view_tasks)


def _how_to_tell_views() -> str:
    """Name the installed recipes whose runs predict views."""
    recipes = [component.name for component in registry().of_kind("recipe")]
    able = [name for name in recipes if _tells_views(load_recipe(name))]
    if not able:
        return "No installed recipe makes one that does."
    return f"Make one with {' or '.join(f'`echokit run {name}`' for name in able)}."
