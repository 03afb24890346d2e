"""The view as a label, the view of clips that bear none, and what refuses to guess one."""

from __future__ import annotations

import json
import re
import shutil
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from echokit import ClipError, ClipRef, CohortError, RecipeError, Rejection, UsageError, hookimpl
from echokit.cli import main
from echokit.clips.store import Store
from echokit.components.loading import make_loader
from echokit.components.views import newest_view_run, open_view_classifier
from echokit.folder import RunFolder
from echokit.plugins.registry import registry
from echokit.recipe import Recipe, load_recipe
from echokit.recipe.demo import demo_folder
from echokit.runs import carry_out
from echokit.runs.cohort import find_cohort
from echokit.studies.load import load
from echokit.system.progress import Silent
from echokit.voting.view_classifier import find_views

VIEWS = ("A4C", "PLAX")


class Moving:
    """Squares that wander across in A4C and down in PLAX, whatever their annotation says."""

    def __init__(self, parts, patients, said, missing, short, broken):
        self.parts, self.patients, self.said = parts, patients, said
        self.missing, self.short, self.broken = missing, short, broken

    def index(self):
        for number in range(self.patients):
            for view in VIEWS:
                clip = f"p{number:02d}-{view}"
                if clip not in self.missing:
                    said = self.said.get(clip, view) or None
                    labels = {"grade": "02"[number % 2]}
                    yield ClipRef(clip, f"p{number:02d}", said, labels, clip, synthetic=True)

    def read(self, ref):
        if ref.clip in self.broken:
            raise ClipError("it is torn")
        across = "0" if ref.clip.endswith("A4C") else "2"
        frames = 3 if ref.clip in self.short else 10
        return self.parts.square(across, int(ref.clip[1:3]) * 2 + int(across), frames)


def view_settings(**more: object) -> list[str]:
    """What makes the tiny recipe one that tells views."""
    table = '{ column = "view", labels = ["A4C", "PLAX"], map = { A4C = "A4C", PLAX = "PLAX" } }'
    fixed = {"name": "echo-view", "data": "moving", "views.together": "true", "tasks.view": table}
    fixed |= {"tasks.severity.enabled": "false", "split.splits": 1, "explain": "false"}
    fixed |= {"train.epochs": 16, "train.n": 3, "train.lr": 0.02}
    return [f"{key}={value}" for key, value in (fixed | more).items()]


def ph_settings(**more: object) -> list[str]:
    """The tiny recipe on the same clips, each view with a network of its own."""
    fixed = {"data": "moving", "study": "moving", "study.patients": 2, "split.splits": 1}
    fixed |= {"train.n": 1, "explain": "false"}
    return [f"{key}={value}" for key, value in (fixed | more).items()]


@pytest.fixture(autouse=True)
def moving(tiny_plugin, parts):
    """Register the loader of clips whose view can be seen."""

    def moving(
        source: str,
        *,
        patients: int = 10,
        said: dict[str, str] | None = None,
        missing: tuple[str, ...] = (),
        short: tuple[str, ...] = (),
        broken: tuple[str, ...] = (),
    ) -> Moving:
        return Moving(parts, patients, said or {}, missing, short, broken)

    class Plugin:
        @hookimpl
        def register_loaders(self, register):
            register("moving", moving)

    tiny_plugin.add(Plugin(), "echokit-moving:moving", "1.0")


def made(path, settings: list[str]) -> RunFolder:
    folder = RunFolder.create(path, load_recipe("tiny-study", settings=settings))
    carry_out(folder.recipe(), folder)
    return folder


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Runs made once for all tests of this file."""
    return SimpleNamespace(path=tmp_path_factory.mktemp("runs"), made={})


@pytest.fixture
def view_run(shelf):
    """A finished run that tells A4C from PLAX."""
    if "view" not in shelf.made:
        shelf.made["view"] = made(shelf.path / "views", view_settings())
    return shelf.made["view"]


@pytest.fixture
def ph_run(shelf):
    """A finished run with a network for each view, beside the other."""
    if "ph" not in shelf.made:
        shelf.made["ph"] = made(shelf.path / "ph", ph_settings())
    return shelf.made["ph"]


@pytest.fixture
def viewer(view_run):
    return open_view_classifier(view_run.path, 0.5)


def filled(viewer, tmp_path, **options):
    recipe = load_recipe("tiny-study", settings=["data=moving"])
    loader = make_loader(recipe.data, **({"patients": 4} | options))
    return find_views(loader.index(), loader, viewer, Store(tmp_path / "store.zarr"), Silent())


# one network of all views


def test_one_network_learns_the_view_of_every_clip(view_run):
    rows = pd.read_parquet(view_run.predictions)
    assert set(rows["view"]) == {"all"}
    assert set(rows["level"]) == {"sequence", "view"}, "a view is no property of a subject"
    assert (rows["clip"].str.split("-").str[1] == rows["label"]).all()
    views = rows[rows["level"] == "view"]
    assert len(views) == 4 * 2
    assert (views["label"] == views["predicted"]).mean() > 0.8
    assert (view_run.models / "view/spatio-temporal/all/split-00.safetensors").is_file()
    [row] = json.loads((view_run.path / "metrics.json").read_text())["rows"]
    assert (row["views"], row["n_subjects"], row["n_predictions"]) == ("all", 4, 8)


def test_the_cohort_bears_the_view_as_a_label(view_run):
    table = pd.read_csv(view_run.path / "cohort.csv", keep_default_na=False)
    used = table[table["status"] == "used"]
    assert (used["view_annotation"] == used["view"]).all()
    assert (used["view_label"] == used["view"]).all()
    assert (used["view_confidence"] == "").all()
    assert view_run.state["cohort"]["views_found"] == 0


def test_the_page_of_such_a_run_compares_no_views(view_run):
    page = (view_run.path / "report" / "index.html").read_text()
    assert "highest F1-score" not in page
    assert "by view</h3>" not in page
    assert "One network for all views: correct in" in page


def test_a_view_that_all_but_one_patient_have_is_no_obstacle_to_a_split(tmp_path):
    missing = 'data={ use = "moving", patients = 5, missing = ["p03-PLAX"] }'
    recipe = load_recipe("tiny-study", settings=[*view_settings(**{"train.epochs": 1}), missing])
    folder = RunFolder.create(tmp_path / "run", recipe)
    carry_out(recipe, folder)
    assert folder.state["finished"]


def test_an_annotation_of_that_name_is_kept_and_others_bear_the_view(tmp_path):
    recipe = load_recipe("tiny-study", settings=view_settings())
    assert all(
        ref.labels["view"] == ref.view
        for ref in find_cohort(recipe, Store(tmp_path), Silent()).clips
    )
    other = load_recipe("tiny-study", settings=["data=moving"])
    assert not any(
        "view" in ref.labels for ref in find_cohort(other, Store(tmp_path), Silent()).clips
    )


def test_one_network_of_all_views_can_answer_any_task(tmp_path):
    settings = ph_settings(**{"views.together": "true"})
    folder = made(tmp_path / "run", settings)
    (tmp_path / "study").mkdir()
    result = load(folder.path).predict(tmp_path / "study")
    assert [subject.views_used for subject in result.subjects] == [VIEWS] * 2
    assert len(load(folder.path).networks.weights) == len(VIEWS)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            ["views.together=true", "feature_fusion.enabled=true"],
            "no features of single views to fuse",
        ),
        ([*view_settings(), "views.classifier=runs/views"], "what the task view is to learn"),
        (["views.use=['all', 'A4C']"], "'all' stands for all views together"),
        (["views.threshold=1.2"], "views.threshold"),
    ],
)
def test_contradictions_are_refused(settings, said):
    with pytest.raises(RecipeError, match=said):
        load_recipe("tiny-study", settings=settings)


def test_the_classifier_is_found_wherever_a_run_is_resumed_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("tiny-study", settings=["views.classifier=runs/views"])
    assert recipe.views.classifier == str(tmp_path / "runs" / "views")
    assert Recipe.model_validate(recipe.model_dump(exclude_none=True)) == recipe


# the view of clips that bear none


def test_what_bears_no_view_gets_the_one_that_is_seen(viewer, tmp_path):
    said = {"p01-A4C": "", "p02-PLAX": ""}
    found, confidences = filled(viewer, tmp_path, said=said)
    assert [(ref.clip, ref.view) for ref in found] == [
        (f"p{n:02d}-{view}", view) for n in range(4) for view in VIEWS
    ]
    assert set(confidences) == set(said)


def test_an_annotation_is_never_questioned(viewer, tmp_path):
    wrong = {"p01-A4C": "PLAX", "p02-A4C": "subcostal"}
    found, confidences = filled(viewer, tmp_path, said=wrong)
    views = {ref.clip: ref.view for ref in found}
    assert {clip: views[clip] for clip in wrong} == wrong
    assert confidences == {}
    assert not (tmp_path / "store.zarr").exists(), "nothing was read for it"


def test_confidence_is_the_mean_probability_of_the_view(viewer, view_run, tmp_path, parts):
    import torch
    from safetensors.torch import load_file

    from echokit.clips.sequences import voting_starts

    _, confidences = filled(viewer, tmp_path, said={"p01-A4C": ""})
    network = parts.backbone(2, 1, width=4)
    network.load_state_dict(load_file(next(view_run.models.rglob("split-00.safetensors"))))
    frames = parts.square("0", 2, 10).frames[:, ::-1].astype(np.float32) / 255  # axis 1 flipped
    windows = [frames[s : s + 4] for s in voting_starts("p01-A4C", 10, 4, 3)]
    with torch.inference_mode():
        logits = network.eval()(torch.from_numpy(np.stack(windows))[:, None])
    assert confidences["p01-A4C"] == pytest.approx(logits.softmax(1)[:, 0].mean().item(), abs=1e-5)


def test_below_the_threshold_a_clip_is_rejected_by_name(view_run, tmp_path):
    strict = open_view_classifier(view_run.path, 1.0)
    found, confidences = filled(strict, tmp_path, said={"p01-A4C": ""})
    [refused] = [item for item in found if isinstance(item, Rejection)]
    assert (refused.where, refused.patient, refused.view) == ("p01-A4C", "p01", None)
    match = re.fullmatch(
        r"its view is unclear: A4C ([01]\.\d\d), PLAX ([01]\.\d\d) \(threshold 1\.00\)",
        refused.reason,
    )
    assert match is not None
    assert float(match[1]) + float(match[2]) == pytest.approx(1, abs=0.011)
    assert confidences == {}


def test_a_clip_that_cannot_be_looked_at_is_named_with_its_reason(viewer, tmp_path):
    said = dict.fromkeys(("p00-A4C", "p01-A4C", "p02-A4C"), "")
    found, _ = filled(viewer, tmp_path, said=said, short=("p00-A4C",), broken=("p01-A4C",))
    reasons = {item.where: item.reason for item in found if isinstance(item, Rejection)}
    unknown = "its view is unknown and cannot be found: "
    assert reasons == {
        "p00-A4C": unknown + "it has 3 frames; a sequence needs 4",
        "p01-A4C": unknown + "it is torn",
    }


def test_rejections_of_the_loader_pass_through(viewer, tmp_path):
    first = Rejection("notes.txt", "it is not a clip")
    loader = make_loader(load_recipe("tiny-study", settings=["data=moving"]).data)
    found, _ = find_views([first], loader, viewer, Store(tmp_path / "store.zarr"), Silent())
    assert found == [first]


# which run tells views


def test_the_newest_finished_run_beside_is_taken(view_run, ph_run, shelf):
    assert newest_view_run(ph_run.path) == view_run.path
    for name, finished in (("older", "2001-01-01T00:00:00+00:00"), ("begun", None)):
        copy = shelf.path / name
        copy.mkdir()
        shutil.copy(view_run.path / "recipe.toml", copy)
        (copy / "run.json").write_text(json.dumps(view_run.state | {"finished": finished}))
    assert newest_view_run(ph_run.path) == view_run.path


def test_without_one_the_error_says_how_to_make_one(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path / "runs" / "ph", load_recipe("tiny-study"))
    with pytest.raises(UsageError, match=r"No installed recipe makes one.*--view-run"):
        newest_view_run(folder.path)
    registry.cache_clear()
    monkeypatch.undo()  # every installed recipe again
    with pytest.raises(UsageError, match=r"Make one with `echokit run echo-view`.*--view-run"):
        newest_view_run(folder.path, demo=False)
    assert newest_view_run(folder.path) == demo_folder("echo-view")


def test_a_run_that_cannot_tell_views_is_refused(ph_run, view_run, tmp_path):
    with pytest.raises(UsageError, match=r"run of tiny-study, which does not tell views"):
        open_view_classifier(ph_run.path, 0.8)
    with pytest.raises(UsageError, match=r"1\.5 is no probability"):
        open_view_classifier(view_run.path, 1.5)
    for name in ("run.json", "recipe.toml"):
        shutil.copy(view_run.path / name, tmp_path)
    with pytest.raises(UsageError, match=r"no trained network.*echokit run --resume"):
        open_view_classifier(tmp_path, 0.8)


def test_a_run_that_tells_views_predicts_no_patient(view_run):
    with pytest.raises(UsageError, match=r"--view auto --view-run .*views"):
        load(view_run.path)


# a study, and a cohort


def study_of(ph_run, path, said: str) -> RunFolder:
    """The run again, with a study whose clips bear these views."""
    shutil.copytree(ph_run.path, path)
    recipe = load_recipe(str(path / "recipe.toml"), settings=[f"study.said={said}"])
    (path / "recipe.toml").write_text(recipe.to_toml())
    return RunFolder.open(path)


def test_a_study_says_who_told_each_view(ph_run, view_run, tmp_path):
    said = '{ "p00-A4C" = "", "p01-PLAX" = "subcostal" }'
    folder = study_of(ph_run, tmp_path / "run", said)
    (tmp_path / "study").mkdir()
    result = load(folder.path).predict(
        tmp_path / "study", view="auto", view_run=view_run.path, view_threshold=0.5
    )
    clips = {clip.clip: clip for clip in result.clips}
    assert clips["p00-PLAX"].view_from == "file"
    assert clips["p00-PLAX"].view_confidence is None
    found = clips["p00-A4C"]
    assert (found.view, found.view_from) == ("A4C", "network")
    assert 0.5 < found.view_confidence <= 1
    [refused] = result.to_json()["rejected"]
    assert refused["view"] is None, "a word that is no view may be a name"
    assert "subcostal" not in json.dumps(result.to_json())
    result.save(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert f"View: by the view network ({found.view_confidence:.2f})" in page
    assert result.view_run == "views"


def test_without_a_view_network_such_a_clip_is_refused(ph_run, tmp_path):
    folder = study_of(ph_run, tmp_path / "run", '{ "p00-A4C" = "" }')
    (tmp_path / "study").mkdir()
    result = load(folder.path).predict(tmp_path / "study")
    [refused] = result.rejected
    assert refused.where == "p00-A4C"
    assert "--view auto" in refused.reason
    assert result.view_run is None


def contradicted(ph_run, view_run, tmp_path, **options):
    """A study whose first clip bears the other view."""
    folder = study_of(ph_run, tmp_path / "run", '{ "p00-A4C" = "PLAX" }')
    (tmp_path / "study").mkdir(exist_ok=True)
    model = load(folder.path)
    return model.predict(tmp_path / "study", view_run=view_run.path, view_threshold=0.5, **options)


def test_a_clip_given_under_another_views_name_is_rejected(ph_run, view_run, tmp_path):
    result = contradicted(ph_run, view_run, tmp_path)
    assert "p00-A4C" not in {clip.clip for clip in result.clips}
    assert {"p00-PLAX", "p01-A4C", "p01-PLAX"} <= {clip.clip for clip in result.clips}
    [rejected] = result.rejected
    assert (rejected.where, rejected.view) == ("p00-A4C", "PLAX")
    assert re.fullmatch(
        r"it was given as PLAX, and the view network \(run views\) sees A4C with probability "
        r"[01]\.\d\d \(threshold 0\.50\)",
        rejected.reason,
    )


def test_it_is_judged_on_request_and_marked(ph_run, view_run, tmp_path):
    result = contradicted(ph_run, view_run, tmp_path, judge_anyway=True)
    marked = {clip.clip: clip.judged_anyway for clip in result.clips if clip.judged_anyway}
    assert list(marked) == ["p00-A4C"]
    assert marked["p00-A4C"].startswith("it was given as PLAX")


def test_the_network_beside_a_run_checks_without_being_asked(ph_run, view_run, tmp_path, parts):
    clip = parts.square("0", 1)  # wanders across, as in A4C
    shelf = tmp_path / "beside"
    shutil.copytree(ph_run.path, shelf / "ph")
    alone = load(shelf / "ph").predict(clip, view="PLAX")
    assert (alone.rejected, alone.view_run) == ((), None)
    shutil.copytree(view_run.path, shelf / "views")
    recipe = shelf / "ph" / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("threshold = 0.8", "threshold = 0.5"))
    model = load(shelf / "ph")
    checked = model.predict(clip, view="PLAX")
    assert checked.subjects == ()
    assert "sees A4C" in checked.rejected[0].reason
    assert checked.view_run == "views"
    assert model.predict(clip, view="A4C").views_used == ("A4C",)
    state = shelf / "ph" / "run.json"
    facts = json.loads(state.read_text()) | {"synthetic": False}
    del facts["sha256"]  # of what the run wrote
    state.write_text(json.dumps(facts))
    real = load(shelf / "ph").predict(clip, view="PLAX")
    assert real.rejected == (), "a synthetic network is no judge of real clips"


def test_a_cohort_is_filled_in_and_counted(view_run, tmp_path):
    said = '{ "p00-A4C" = "", "p01-PLAX" = "" }'
    settings = ph_settings(**{"views.classifier": view_run.path, "views.threshold": 0.5})
    folder = made(tmp_path / "run", [*settings, f"data.said={said}"])
    assert folder.state["cohort"]["views_found"] == 2
    table = pd.read_csv(folder.path / "cohort.csv", keep_default_na=False).set_index("clip")
    assert table.loc[["p00-A4C", "p01-PLAX"], "view"].tolist() == list(VIEWS)
    found = table[table["view_confidence"] != ""]
    assert set(found.index) == {"p00-A4C", "p01-PLAX"}
    assert found["view_confidence"].astype(float).between(0.5, 1).all()


def test_a_cohort_clip_of_unclear_view_is_rejected_by_name(view_run, tmp_path):
    settings = ph_settings(**{"views.classifier": view_run.path, "views.threshold": 1.0})
    recipe = load_recipe("tiny-study", settings=[*settings, 'data.said={ "p00-A4C" = "" }'])
    cohort = find_cohort(recipe, Store(tmp_path / "store.zarr"), Silent())
    [refused] = cohort.rejected
    assert refused.where == "p00-A4C"
    assert refused.reason.startswith("its view is unclear: A4C ")
    settings += ["data.patients=1", 'data.said={ "p00-A4C" = "", "p00-PLAX" = "" }']
    recipe = load_recipe("tiny-study", settings=settings)
    with pytest.raises(CohortError, match="its view is unclear"):
        find_cohort(recipe, Store(tmp_path / "store.zarr"), Silent())


def test_the_options_of_auto_go_with_auto(ph_run, view_run, monkeypatch, capfd, tmp_path):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main sets its own

    def call(*words: object) -> str:
        given = ["echokit", "predict", ph_run.path, tmp_path, *words]
        monkeypatch.setattr(sys, "argv", [*map(str, given)])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 2
        return capfd.readouterr().err

    assert "goes with --view auto or --view-run" in call("--view-threshold", "0.5")
    assert "does not tell views" in call("--view-run", ph_run.path, "--view", "A4C")
    their = ("--view-run", view_run.path, "--view-threshold", "7")
    assert "no probability" in call("--view", "auto", *their)


def test_cross_fitting_goes_with_one_network_of_all_views(tmp_path):
    more = {"crossfit.folds": 2, "train.epochs": 1, "data.patients": 20}
    folder = made(tmp_path / "run", view_settings(**more))
    rows = pd.read_parquet(folder.path / "crossfit.parquet")
    assert set(rows["view"]) == {"all"}
    assert folder.state["finished"]
