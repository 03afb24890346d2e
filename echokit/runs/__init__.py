"""Carry out a run: its steps from a cohort to a report, top to bottom.

Each step writes its result to the folder of the run and is skipped if that exists, so that a
stopped run can be resumed. There is one file for each step, with the step's name in `run.json`.
"""

from __future__ import annotations

from echokit.clips.store import Store
from echokit.components.trial import try_components
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.runs import (
    calibrate,
    crossfit,
    evaluate,
    explain,
    external,
    fuse,
    novelty,
    predict,
    report,
    train,
)
from echokit.runs.cohort import find_cohort
from echokit.runs.context import Run
from echokit.runs.prepare import prepare_cohort
from echokit.system.leftovers import sweep
from echokit.system.progress import Progress, Silent

STEPS = {
    "crossfit": crossfit.step,
    "predict": predict.step,
    "fuse": fuse.step,
    "evaluate": evaluate.step,
    "external": external.step,
    "calibrate": calibrate.step,
    "novelty": novelty.step,
    "explain": explain.step,
}
"""The steps that depend on trained networks, in order; each returns a summary of its result."""


def carry_out(recipe: Recipe, folder: RunFolder, progress: Progress | None = None) -> Run:
    """Carry out a run from its recipe to its report, or resume a stopped one.

    Args:
        recipe: the resolved recipe, as saved in the folder.
        folder: the folder of the run, which receives all results.
        progress: receives the progress of each step.

    Returns:
        The finished run.

    Raises:
        EchokitError: the data or the recipe cannot be used; finished steps are kept.
    """
    progress = progress or Silent()
    sweep(folder.path, deep=True)
    sweep(folder.store)
    recipe.check_components()
    try_components(recipe, start=not train.was_trained(recipe, folder))
    folder.check_records()
    folder.follow(recipe)
    with folder.step("cohort") as row:
        cohort = find_cohort(recipe, Store(folder.store), progress)
        folder.keep_secret(cohort.patients)
        folder.state["synthetic"] = cohort.synthetic
        row["detail"] = f"{len(cohort.clips)} clips of {len(cohort.patients)} patients"
    with folder.step("prepare") as row:
        population, row["detail"] = prepare_cohort(cohort, recipe, folder, progress)
    run = Run(recipe, folder, population, progress)
    with folder.step("train") as row:
        row["detail"] = train.step(run)
    for name, step in STEPS.items():
        if not folder.is_sound(name) and (name != "external" or recipe.test):
            with folder.step(name) as row:
                row["detail"] = step(run)
    folder.finish()
    with folder.step("report"):
        report.step(run)
    return run
