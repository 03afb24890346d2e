"""A run from a recipe to a report: the whole story, top to bottom.

Each stage leaves its result in the run's folder and is skipped when that is there, so that a run
that was stopped goes on where it stopped.
"""

from __future__ import annotations

from echokit.clips.store import Store
from echokit.components import try_components
from echokit.folder import RunFolder
from echokit.recipe import Recipe
from echokit.runs.calibrate import calibrate_all
from echokit.runs.cohort import find_clips, label_all, prepare_cohort, write_cohort
from echokit.runs.evaluate import evaluate_all
from echokit.runs.explain import explain_all
from echokit.runs.fuse import fuse_all
from echokit.runs.predict import crossfit_all, predict_all
from echokit.runs.train import train_all, was_trained
from echokit.system.progress import Progress, Silent


def run(recipe: Recipe, folder: RunFolder, progress: Progress | None = None) -> None:
    """Carry a run from its recipe to its report, or on from where it was stopped.

    Args:
        recipe: the resolved recipe, as it stands in the folder.
        folder: where everything is written.
        progress: who watches.

    Raises:
        EchokitError: the data or the recipe cannot be used; what is done so far stays.
    """
    progress = progress or Silent()
    recipe.check_components()
    try_components(recipe, start=not was_trained(recipe, folder))
    folder.follow(recipe)
    with folder.stage("cohort") as row:
        cohort = find_clips(recipe, Store(folder.store), progress)
        label_all(cohort, recipe)  # a useless label table must show before minutes of work
        folder.state["synthetic"] = cohort.synthetic
        row["detail"] = f"{len(cohort.clips)} clips of {len(cohort.patients)} patients"
    with folder.stage("prepare") as row:
        study = prepare_cohort(cohort, recipe, Store(folder.store), progress)
        write_cohort(study, recipe, folder)
        row["detail"] = f"{len(study.keys)} clips ready, {len(study.cohort.rejected)} rejected"
    with folder.stage("train") as row:
        row["detail"] = f"{train_all(study, recipe, folder, progress)} networks trained"
    for name, stage in (
        ("crossfit", crossfit_all),
        ("predict", predict_all),
        ("fuse", fuse_all),
        ("evaluate", evaluate_all),
        ("calibrate", calibrate_all),
        ("explain", explain_all),
    ):
        if not folder.is_done(name):
            with folder.stage(name) as row:
                row["detail"] = stage(study, recipe, folder, progress)
    folder.finish()
    with folder.stage("report"):
        from echokit.report import build_run_report, write_tables

        write_tables(folder.path)
        build_run_report(folder.path)
