"""Check a user's clips as a recipe would use them: views, sector, length, labels and splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

from echokit.clips.check import REJECTED, USED, CheckedFile, CheckReport, check_files
from echokit.components.cohorts import gather_cohort, label_tasks, split_cohort
from echokit.components.loading import make_loader
from echokit.components.slots import make_preparation
from echokit.errors import ClipError, CohortError
from echokit.interfaces import Loader, SupportsRemarks
from echokit.recipe import Recipe, Slot, load_recipe
from echokit.recipe.address import split_address
from echokit.recipe.settings import Settings, loader_options, setting_texts
from echokit.system.progress import Listener, Progress, watched
from echokit.types import ClipRef, Rejection


def check_source(
    path: str | PathLike[str],
    loader: str,
    *,
    recipe: str | None,
    config: Sequence[Path],
    settings: Settings,
    progress: Progress | Listener | None,
) -> CheckReport:
    """Read everything at a path, and say what a recipe would do with it.

    Args:
        path: a clip's file, a folder, a CSV manifest, or `LOADER:ADDRESS`.
        loader: name of the loader where no recipe names one.
        recipe: a recipe; None reads the clips and judges none.
        config: TOML files laid over the recipe.
        settings: overrides of the recipe's keys; without a recipe options of the loader.
        progress: told of every file that was read.

    Raises:
        RecipeError: the recipe cannot be used.
    """
    named = split_address(path)
    shown = str(path).partition("?")[0] if named else str(path)  # a query may name a patient
    if recipe is None:
        options = loader_options(config, setting_texts(settings))
        use, source = named or (loader, str(path))
        made = make_loader(Slot(use=use, **options), source=source)
        return CheckReport(shown, _read(made, progress), said=_remarks(made))
    resolved = load_recipe(recipe, config=config, settings=setting_texts(settings), data=path)
    made = make_loader(resolved.data)
    files = tuple(_as_used(file, made, resolved) for file in _read(made, progress))
    labels, said = _labels(made, resolved)
    return CheckReport(shown, files, labels=labels, said=(*_remarks(made), *said))


def _remarks(loader: Loader) -> tuple[str, ...]:
    return tuple(loader.remarks()) if isinstance(loader, SupportsRemarks) else ()


def _read(loader: Loader, progress: Progress | Listener | None) -> tuple[CheckedFile, ...]:
    files = []
    with watched(progress).bar("Reading files", 0, "files") as tick:
        for file in check_files(loader):
            files.append(file)
            tick(1)
    return tuple(files)


def _as_used(file: CheckedFile, loader: Loader, recipe: Recipe) -> CheckedFile:
    """Return what a run or a prediction makes of a clip that can be read."""
    if file.ref is None or file.status != USED:
        return file
    view = recipe.views.alias.get(file.ref.view or "", file.ref.view)
    if view is not None and view not in recipe.views.use:
        used = ", ".join(recipe.views.use)
        return replace(file, status=REJECTED, reason=f"its view is not in use (in use: {used})")
    try:
        frames = make_preparation(recipe).count(loader, file.ref)
    except ClipError as error:
        return replace(file, status=REJECTED, reason=str(error))
    k = recipe.sequences.k
    if frames < k:
        return replace(file, status=REJECTED, reason=f"it has {frames} frames; {k} are needed")
    facts = file.facts and replace(file.facts, view=view)
    return replace(file, facts=facts)


def _labels(loader: Loader, recipe: Recipe) -> tuple[dict[str, dict[str, int]], tuple[str, ...]]:
    """Count patients by label in each task; or say why a run could not."""
    found: list[ClipRef | Rejection] = list(loader.index())
    counts: dict[str, dict[str, int]] = {}
    said: list[str] = []
    try:
        cohort = gather_cohort(recipe, found)
        for task, labels in label_tasks(cohort, recipe).items():
            counts[task] = dict(Counter(labels.patients.values()))
            split_cohort(cohort, labels, recipe)
    except CohortError as error:
        said.append(f"echokit run would refuse it: {error}")
    return counts, tuple(said)
