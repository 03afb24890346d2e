"""Start a run, resume a stopped one, or open a finished one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from echokit.clips.store import Store
from echokit.components.begin import begin_run
from echokit.components.outlook import look_ahead
from echokit.errors import EchokitError
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.recipe.address import Address
from echokit.recipe.settings import Settings
from echokit.runs import carry_out
from echokit.runs.cohort import find_cohort
from echokit.runs.context import Run
from echokit.runs.population import Population
from echokit.runs.prepare import prepare_population
from echokit.system.progress import Listener, Progress, watched


def run(
    recipe: str | None = None,
    data: Address | None = None,
    preset: str | None = None,
    settings: Settings = (),
    config: Address | None = None,
    out: Address | None = None,
    seed: int | None = None,
    *,
    test_data: Address | None = None,
    resume: Address | None = None,
    progress: Progress | Listener | None = None,
) -> Run:
    """Carry out a run: train, vote, evaluate and explain, from a cohort to a report.

    Args:
        recipe: name of a recipe, or the path of its TOML file.
        data: the user's own clips: a CSV manifest, or a folder with `manifest.csv`; None takes the
            recipe's own cohort, which is synthetic in the recipes that ship with echokit.
        preset: one of the recipe's presets; None takes its default.
        settings: overrides by key, such as `{"backbone.width": 8}`, or texts as `--set` takes them.
        config: a TOML file that overrides the recipe and the preset.
        out: the run's folder; None takes one below `runs/`.
        seed: short for the setting `seed`.
        test_data: an external test cohort, other patients in clips of the user's own, on whom the
            networks of every split are evaluated; None takes the recipe's, and with `data` none.
        resume: a run's folder, to go on where it was stopped; takes no recipe and no override.
        progress: a function `(title, done, total)`, or a `Progress`.

    Raises:
        EchokitError: the recipe or the data cannot be used. What is done stays in the run's folder.

    >>> changes = {"backbone.width": 8, "data.patients": 30}
    >>> run = echokit.run("ph-newborn", preset="quick", settings=changes)  # doctest: +SKIP
    >>> run = echokit.run(resume="runs/ph-newborn")
    >>> run.report()
    PosixPath('runs/ph-newborn/report/index.html')
    """
    folder = begin_run(
        recipe, data, preset, settings, config, out, seed, resume, test_data, check=look_ahead
    )
    return finish(folder, resumed=resume is not None, progress=progress)


def finish(folder: RunFolder, *, resumed: bool, progress: Progress | Listener | None = None) -> Run:
    """Carry out a run to its report; remove a new run that fails before its first result."""
    try:
        return carry_out(folder.recipe(), folder, watched(progress))
    except EchokitError:
        if not resumed and not folder.is_done("cohort"):  # it holds nothing to resume
            folder.remove_begun()
        raise
    finally:
        folder.release()


def open_run(
    path: Address,
    progress: Progress | Listener | None = None,
    *,
    recipe: Recipe | None = None,
) -> Run:
    """Open a run to read its results, or to use its networks and clips in PyTorch.

    Only prepared clips that the store lacks are written, and only once clips are needed, for
    example by `Run.dataset`.

    Args:
        path: the run's folder.
        progress: a function `(title, done, total)`, or a `Progress`, for preparing clips.
        recipe: a recipe to use instead of the saved one.

    Raises:
        UsageError: the folder is not a run.

    >>> run = echokit.open_run("runs/ph-newborn")
    >>> run.metrics[["views", "n_subjects"]].iloc[-1].to_dict()
    {'views': 'MV-3', 'n_subjects': 6}
    >>> sorted(run.predictions["level"].unique())
    ['sequence', 'subject', 'view']
    >>> run.history.columns[-3:].tolist()
    ['accuracy', 'lr', 'seconds']
    """
    folder, listener = RunFolder.open(Path(path)), watched(progress)
    resolved = recipe or folder.recipe()
    return Run(resolved, folder, partial(_find_population, resolved, folder, listener), listener)


def _find_population(recipe: Recipe, folder: RunFolder, progress: Progress) -> Population:
    """Find the clips of a run and prepare those missing in the store."""
    store = Store(folder.store)
    return prepare_population(find_cohort(recipe, store, progress), recipe, store, progress)
