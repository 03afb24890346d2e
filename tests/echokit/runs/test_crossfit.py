"""Cross-fitting: inner networks judge the training patients they did not learn from, no others."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from echokit import CohortError, UsageError, hookimpl
from echokit.folder import RunFolder
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.runs.jobs import inner_jobs, jobs_of
from echokit.runs.start import open_run
from echokit.studies.load import load
from echokit.system.checked import read_json

pytestmark = pytest.mark.usefixtures("learner")

SETTINGS = ["train.n=1", "train.epochs=1", "explain=false", "crossfit.folds=2"]


@pytest.fixture
def learner(tiny_plugin, parts):
    """The tiny plugin, and beside it one with a voting rule that learns."""

    class LearnerPlugin:
        @hookimpl
        def register_aggregators(self, register):
            register("tiny-learner", parts.TinyLearner)

    tiny_plugin.add(LearnerPlugin(), "echokit-learner:learner", "1.0")


def begin(path, *settings):
    recipe = load_recipe("tiny-study", settings=[*SETTINGS, *settings])
    return recipe, RunFolder.create(path, recipe)


@pytest.fixture
def done(tmp_path):
    recipe, folder = begin(tmp_path / "runs" / "one", "split.splits=2")
    carry_out(recipe, folder)
    return folder


def test_every_training_patient_is_judged_once_and_nobody_who_is_held_out(done):
    judged = pd.read_parquet(done.path / "crossfit.parquet")
    cohort = pd.read_csv(done.path / "cohort.csv", dtype=str, keep_default_na=False)
    for task in judged["task"].unique():
        for split in judged["split"].unique():
            side = cohort.set_index("clip")[f"{task}_split_{split:02d}"]
            here = judged[(judged["task"] == task) & (judged["split"] == split)]
            views = here[here["level"] == "view"]
            assert sorted(views["clip"]) == sorted(side[side == "train"].index)


def test_no_inner_network_learned_from_a_patient_it_judges(tmp_path):
    _, folder = begin(tmp_path / "runs" / "one", "split.splits=3")
    run = open_run(folder.path)
    population = run.population
    patient = {ref.clip: ref.patient for ref in population.cohort.clips}
    inner = inner_jobs(run)
    assert len(inner) == 2 * len(jobs_of(run))
    for job in inner:
        learned, judged = (
            {patient[item.clip] for item in population.items(job, side)}
            for side in ("train", "test")
        )
        outer = population.splits[job.task][job.split]
        assert learned
        assert judged
        assert not learned & judged
        assert learned | judged <= outer.train


def test_inner_networks_stand_beside_theirs_and_have_weights_of_their_own(done):
    for path in done.models.rglob("split-00.json"):
        inner = [path.with_name(f"split-00-fold-{fold}.json") for fold in (0, 1)]
        facts = [json.loads(p.read_text()) for p in (path, *inner)]
        assert [f["fold"] for f in facts] == [None, 0, 1]
        assert len({f["seed"] for f in facts}) == 3
        assert facts[1]["clips"] + facts[2]["clips"] == facts[0]["clips"]


def test_the_figures_do_not_change_with_cross_fitting(done, tmp_path):
    recipe, folder = begin(tmp_path / "other" / "one", "split.splits=2", "crossfit.folds=0")
    carry_out(recipe, folder)
    assert not (folder.path / "crossfit.parquet").exists()
    assert (folder.path / "metrics.json").read_text() == (done.path / "metrics.json").read_text()


def test_too_few_training_patients_for_the_folds_is_said_with_what_to_type(tmp_path):
    recipe, folder = begin(tmp_path / "runs" / "one", "crossfit.folds=8")
    with pytest.raises(CohortError, match=r"Cross-fitting in split 0.*crossfit\.folds=0"):
        carry_out(recipe, folder)


def test_a_voting_rule_that_learns_is_fitted_on_training_patients_of_each_split(tmp_path, parts):
    settings = ["split.splits=2", "aggregate.subject=tiny-learner", "fusion.mine.use=tiny-learner"]
    recipe, folder = begin(tmp_path / "runs" / "one", *settings)
    carry_out(recipe, folder)
    subjects = pd.read_parquet(folder.predictions).query("level == 'subject'")
    assert set(subjects["confidence"]) == {1.0}
    assert set(parts.TinyPlugin.fitted) == {6}  # of ten patients; the other four are held out
    assert {row["method"] for row in read_json(folder.path / "fusion.json")["rows"]} == {"mine"}


def test_a_voting_rule_that_learns_needs_cross_fitting_and_the_error_says_what_to_type(tmp_path):
    settings = ["crossfit.folds=0", "aggregate.subject=tiny-learner"]
    recipe, folder = begin(tmp_path / "runs" / "one", *settings)
    with pytest.raises(UsageError, match=r"'tiny-learner' cannot be fitted.*crossfit\.folds=2"):
        carry_out(recipe, folder)


def test_one_study_is_voted_on_by_the_fitted_rule(tmp_path):
    recipe, folder = begin(tmp_path / "runs" / "one", "aggregate.subject=tiny-learner")
    carry_out(recipe, folder)
    model = load(folder.path)
    assert model.rule.label in model.classes
