"""Studies predicted by a model: who votes, who is named, what is kept open, what is written."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from echokit import Clip, ClipRef, CohortError, UsageError
from echokit.cli import main
from echokit.components.networks import load_model
from echokit.folder import RunFolder
from echokit.plugins.registry import registry
from echokit.recipe import load_recipe
from echokit.runs import carry_out
from echokit.studies.load import load
from echokit.system.digests import Digests
from echokit.system.files import write_json

pytestmark = pytest.mark.usefixtures("tiny_plugin")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Where the run is made once for all tests of this file."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def trained(shelf, tmp_path):
    """A finished run of one split, whose study loader finds two patients with one view each."""
    if not (shelf / "one").exists():
        settings = ["split.splits=1", "train.n=1", "study.patients=2", "report.examples=0"]
        recipe = load_recipe("tiny-study", settings=settings)
        carry_out(recipe, RunFolder.create(shelf / "one", recipe))
    return Path(shutil.copytree(shelf / "one", tmp_path / "runs" / "one"))


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study").mkdir()
    return tmp_path / "study"


def predicted(run, study, out, **options):
    """What `echokit predict` writes."""
    result = load(run).predict(study, **options)
    result.save(out)
    return result.to_json()


def test_each_patient_votes_with_the_views_there_are_and_the_rest_is_named(
    trained, study, tmp_path, parts
):
    document = predicted(trained, study, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "prediction.json").read_text()) == document
    assert [subject["patient"] for subject in document["subjects"]] == ["p00", "p01"]
    for subject in document["subjects"]:
        assert (subject["views_used"], subject["views_missing"]) == (["A4C"], ["PLAX"])
        [clip] = subject["clips"]
        assert subject["label"] == clip["label"]
        assert len(clip["sequences"]) == 3
        assert sum(clip["probabilities"].values()) == pytest.approx(1)
        assert (tmp_path / "out" / clip["saliency"]["array"]).is_file()
    [rejected] = document["rejected"]
    assert (rejected["where"], rejected["reason"]) == ("notes.txt", "it is not a clip")
    assert document["synthetic_training"] is True
    assert parts.TinyPlugin.targets == [
        document["classes"].index(s["label"]) for s in document["subjects"]
    ], "explained is what was predicted"
    assert (tmp_path / "out" / "index.html").is_file()


def test_a_patient_with_too_few_views_is_not_judged_by_the_runs_own_rule(
    trained, study, tmp_path, capsys, monkeypatch
):
    with (trained / "recipe.toml").open("a") as file:
        file.write("\n[aggregate.abstain]\nviews = 2\n")
    result = load(trained).predict(study, saliency=False)
    for subject in result.subjects:
        assert (subject.label, subject.not_judged) == ("not judged", "only 1 of 2 views")
        assert subject.vote == subject.clips[0].label
    document = result.to_json()
    assert {s["label"] for s in document["subjects"]} == {"not judged"}
    rows = result.to_frame()
    assert set(rows.loc[rows["level"] == "subject", "label"]) == {"not judged"}
    assert "only 1 of 2 views" in result._repr_html_()
    result.save(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Not judged: only 1 of 2 views." in page
    told = ["echokit", "predict", str(trained), str(study), "--out", str(tmp_path / "again")]
    monkeypatch.setattr(sys, "argv", told)
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert "p00: not judged (only 1 of 2 views; views A4C; without PLAX)" in capsys.readouterr().out


def test_a_map_carries_the_runs_tests_of_its_network(trained, study, tmp_path):
    index = {
        "maps": [
            {"task": "severity", "approach": "spatio-temporal", "view": view, "scores": scores}
            for view, scores in (
                ("A4C", {"verdict": {"passed": True}}),
                ("A4C", {"verdict": {"passed": False}}),
                ("A4C", {"verdict": {"passed": False}}),
                ("PLAX", {"verdict": {"passed": True}}),
            )
        ]
    }
    write_json(trained / "saliency" / "index.json", index)
    Digests.read(trained).record(("saliency/**/*",))  # as if the run had written it
    document = predicted(trained, study, tmp_path / "out")
    for subject in document["subjects"]:
        [clip] = subject["clips"]
        assert clip["saliency"]["record"] == {"maps": 3, "passed": 1}
        assert "verdict" not in clip["saliency"]["scores"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "1 of 3 maps of this network passed the tests on held-out patients" in page


def test_each_map_is_tested_where_that_is_asked(trained, study, tmp_path, parts):
    document = predicted(trained, study, tmp_path / "out", test_saliency=True)
    labels = [document["classes"].index(s["label"]) for s in document["subjects"]]
    calls = len(parts.TinyPlugin.targets) // 2  # of each: its map, and those of random networks
    assert parts.TinyPlugin.targets == sorted(labels * calls, key=labels.index), (
        "explained is what was predicted"
    )
    for subject in document["subjects"]:
        [clip] = subject["clips"]
        scores = clip["saliency"]["scores"]
        assert scores["randomisation"]["similarity"][-1] == pytest.approx(1)
        assert scores["verdict"]["passed"] is False, "the explainer ignores the network"
    assert (tmp_path / "out" / "index.html").is_file()


def test_nothing_is_left_of_a_prediction_that_failed(trained, study, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("echokit.studies.write.build_study_page", fail)
    with pytest.raises(KeyboardInterrupt):
        predicted(trained, study, tmp_path / "results" / "out")
    assert list((tmp_path / "results").iterdir()) == []


def test_a_study_without_a_clip_that_can_be_used_names_every_one(trained, study, tmp_path):
    recipe = trained / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("patients = 2", "patients = 1\nframes = 3"))
    with pytest.raises(CohortError, match=r"notes\.txt: .*p00-A4C: it has 3 frames"):
        predicted(trained, study, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_predicted_is_refused_before_any_work(trained, study, tmp_path, parts):
    model = load(trained)
    parts.TinyLoader.reads.clear()
    with pytest.raises(UsageError, match="There is no study at"):
        model.predict(tmp_path / "gone")
    with pytest.raises(UsageError, match=r"no network for the view 'PSAX-P': it has A4C, PLAX"):
        model.predict(study, view="PSAX-P")
    with pytest.raises(UsageError, match="no saliency to test: saliency is False"):
        model.predict(study, saliency=False, test_saliency=True)
    with pytest.raises(UsageError, match="goes with --view auto"):
        model.predict(study, view_threshold=0.5)
    assert parts.TinyLoader.reads == {}, "nothing of the study was read"
    with pytest.raises(UsageError, match=r"no task 'binary': it has severity"):
        load(trained, "binary")
    with pytest.raises(UsageError, match=r"no engine 'torhc'.*'torch'"):
        load(trained, engine="torhc")


def test_a_folder_that_is_there_is_never_written_to(trained, study, tmp_path):
    result = load(trained).predict(study)
    with pytest.raises(UsageError, match="choose another folder with --out"):
        result.save(study)
    assert list(study.iterdir()) == []


def test_a_run_without_networks_says_how_to_finish_it(tmp_path):
    folder = RunFolder.create(tmp_path / "begun", load_recipe("tiny-study"))
    with pytest.raises(UsageError, match=r"no trained network.*`echokit run --resume .*begun`"):
        load(folder.path)


# what the Python API adds


def test_the_second_study_of_a_model_opens_no_network_again(trained, study, parts, monkeypatch):
    opened = []

    def counted(recipe, classes, weights):
        opened.append(weights.parent.name)
        return load_model(recipe, classes, weights)

    monkeypatch.setattr("echokit.components.networks.load_model", counted)
    model = load(trained)
    assert opened == [], "nor is one opened before it is needed"
    first = model.predict(study)
    assert opened == ["A4C"]
    second = model.predict(study)
    model.predict(parts.square("0", 1), view="A4C")
    assert opened == ["A4C"]
    model.predict(parts.square("0", 1), view="PLAX")
    assert opened == ["A4C", "PLAX"]
    untimed = ("stages",)
    assert all(
        first.to_json()[key] == second.to_json()[key]
        for key in first.to_json()
        if key not in untimed
    )


def test_nothing_is_written_until_it_is_saved(trained, study, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = load(trained).predict(study)
    result.to_frame()
    result._repr_html_()
    assert list(scratch.iterdir()) == [], "no temporary file is left"
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path != scratch}
    assert after == {path: at for path, at in before.items() if path != scratch}
    result.save(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "prediction.json",
        "saliency",
        "index.html",
    }


def test_a_file_a_clip_and_an_array_are_predicted_alike(trained, parts):
    clip = parts.square("2", 7)
    model = load(trained)
    of_clip = model.predict(clip, view="a4c")
    of_array = model.predict(clip.frames, view="A4C")
    again = model.predict([clip], view=["A4C"])
    assert of_clip.label == of_array.label == again.label
    assert of_clip.probabilities == of_array.probabilities == again.probabilities
    assert re.fullmatch(r"Study of \d+ [A-Z][a-z]{2} 20\d\d, 1 clip", of_clip.study)
    assert of_clip.subject.patient == "patient"
    assert (of_clip.views_used, of_clip.views_missing) == (("A4C",), ("PLAX",))
    assert of_clip.clips[0].fps == 25.0
    assert of_array.clips[0].fps is None
    assert of_clip.clips[0].view_from == "--view"


def test_several_clips_are_one_patients_study(trained, study, parts):
    model = load(trained)
    clips = [parts.square("2", seed) for seed in range(3)]
    result = model.predict(clips, view=["A4C", "CV", "PLAX"])
    assert [(clip.clip, clip.view) for clip in result.clips] == [
        ("clip", "A4C"),
        ("clip-2", "A4C"),
        ("clip-3", "PLAX"),
    ]
    singles = [
        model.predict(clip, view=view).clips[0]
        for clip, view in zip(clips, ("A4C", "A4C", "PLAX"), strict=True)
    ]
    # sequences are drawn by the name of their clip, so the first alone is the same
    assert result.clips[0].sequences == singles[0].sequences
    assert result.views_missing == ()
    mixed = model.predict([clips[0], study], view=["A4C", None])
    assert {subject.patient for subject in mixed.subjects} == {"patient", "p00", "p01"}
    with pytest.raises(UsageError, match="3 clips and 2 views"):
        model.predict(clips, view=["A4C", "PLAX"])
    with pytest.raises(CohortError, match="its view is unknown"):
        model.predict(clips)


def test_copies_of_one_clip_vote_once(trained, parts):
    model = load(trained)
    one, other = parts.square("2", 1), parts.square("0", 2)
    result = model.predict([one, other, one, one], view="A4C")
    assert [clip.clip for clip in result.clips] == ["clip", "clip-2"]
    assert [(item.where, item.reason) for item in result.rejected] == [
        (name, "it is a copy of clip: copies of one clip vote once")
        for name in ("clip-3", "clip-4")
    ]
    assert result.probabilities == model.predict([one, other], view="A4C").probabilities


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((10, 16, 16), np.float32), r"float32 \(10, 16, 16\): give grey frames as uint8"),
        (np.zeros((10, 16, 16, 3), np.uint8), "uint8"),
        (np.zeros((0, 16, 16), np.uint8), "uint8"),
        (3, "not int"),
    ],
)
def test_what_is_no_clip_is_refused(trained, pixels, words):
    with pytest.raises(UsageError, match=words):
        load(trained).predict([pixels], view="A4C")


def test_a_prediction_says_from_which_rate_a_clip_was_resampled(trained, tmp_path):
    import echokit_ultrasound

    registry().add(echokit_ultrasound, "echokit-cardiac:ultrasound")
    with (trained / "recipe.toml").open("a") as file:
        file.write('\n[prepare.frame-rate]\nuse = "ultrasound-frame-rate"\nfps = 20\n')
    frames = np.random.default_rng(0).integers(0, 255, (40, 16, 16), dtype=np.uint8)
    model = load(trained)
    result = model.predict([Clip(frames, fps=50.0), Clip(frames[:30], fps=20.0)], view="A4C")
    assert [(c.fps, c.source_fps) for c in result.clips] == [(20.0, 50.0), (20.0, None)]
    assert [c["source_fps"] for c in result.to_json()["subjects"][0]["clips"]] == [50.0, None]
    result.save(tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert page.count("at 20 per second, resampled from 50.0") == 1


def test_two_examinations_of_one_patient_never_vote_together(
    trained, study, tmp_path, monkeypatch, parts
):
    index = parts.TinyLoader.index
    studies = iter(("S-1", "S-2", "", "S-2"))

    def of_one(self):
        for item in index(self):
            changed = isinstance(item, ClipRef)
            yield replace(item, patient="p", study=next(studies)) if changed else item

    monkeypatch.setattr(parts.TinyLoader, "index", of_one)
    result = load(trained).predict(study, options={"patients": 4}, saliency=False)
    assert [(one.patient, one.study) for one in result.subjects] == [
        ("p", "S-1"),
        ("p", "S-2"),
        ("p", "unknown"),
    ]
    assert [len(one.clips) for one in result.subjects] == [1, 2, 1]
    with pytest.raises(UsageError, match=r"3 examinations: p, study S-1, p, study S-2"):
        _ = result.label
    assert result.to_frame()["study"].nunique() == 3
    assert "p, study S-2" in result._repr_html_()
    result.save(tmp_path / "out")
    assert "Patient p, study S-2" in (tmp_path / "out" / "index.html").read_text()


def test_of_several_patients_nothing_is_said_as_if_they_were_one(trained, study):
    result = load(trained).predict(study)
    assert [subject.patient for subject in result.subjects] == ["p00", "p01"]
    for name in ("label", "confidence", "probabilities", "views_used", "views_missing"):
        with pytest.raises(UsageError, match=r"2 patients: p00, p01"):
            getattr(result, name)
    assert [clip.patient for clip in result.clips] == ["p00", "p01"]


def test_saliency_is_kept_in_memory_and_left_out_on_request(trained, parts, study, tmp_path):
    model = load(trained)
    [clip] = model.predict(parts.square("2", 7), view="A4C").clips
    saliency = clip.saliency
    k, side = 4, 16
    assert saliency.explanation.saliency.values.shape == (k, side, side)
    assert saliency.frames.shape == (k, side, side)
    assert (saliency.fps, saliency.explanation.start) == (25.0, saliency.explanation.start)
    parts.TinyPlugin.targets.clear()
    bare = model.predict(study, saliency=False)
    assert parts.TinyPlugin.targets == []
    assert [clip.saliency for clip in bare.clips] == [None, None]
    assert bare.without_saliency
    assert "saliency" not in {path.name for path in bare.save(tmp_path / "out")}


def test_progress_is_told_to_a_function(trained, study):
    told = []
    load(trained).predict(study, progress=lambda *step: told.append(step))
    assert told[0] == ("Preparing clips", 0, 2)
    assert told[-1] == ("Predicting and explaining", 2, 2)
    assert [done for title, done, _ in told if title == "Preparing clips"] == [0, 1, 2]


def test_the_command_writes_what_the_api_returns(trained, study, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["echokit", "predict", str(trained), str(study), "--json"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main()
    assert not left.value.code
    written = json.loads(next(tmp_path.glob("predictions/study-20*/prediction.json")).read_text())
    assert json.loads(capsys.readouterr().out) == written
    document = json.loads(json.dumps(load(trained).predict(study).to_json()))
    written.pop("stages")
    document.pop("stages")
    assert written == document


def test_a_result_as_a_table_has_a_row_for_every_prediction(trained, study):
    result = load(trained).predict(study)
    frame = result.to_frame()
    assert list(frame) == [
        *("level", "patient", "view", "clip", "start", "label", "confidence"),
        *("p_none", "p_severe"),
        *("calibrated_none", "calibrated_severe"),
        "label_set",
    ]
    assert frame["level"].value_counts().to_dict() == {"sequence": 6, "view": 2, "subject": 2}
    np.testing.assert_allclose(frame[["p_none", "p_severe"]].sum(axis=1), 1, atol=1e-6)
    for subject in result.subjects:
        [row] = frame[(frame["level"] == "subject") & (frame["patient"] == subject.patient)].index
        assert frame.loc[row, "label"] == subject.label
        assert frame.loc[row, "p_severe"] == subject.probabilities["severe"]
        sequences = frame[(frame["level"] == "sequence") & (frame["patient"] == subject.patient)]
        assert sequences["start"].tolist() == [one.start for one in subject.clips[0].sequences]


def test_a_result_shows_itself_without_fetching_anything(trained, study):
    result = load(trained).predict(study)
    html = result._repr_html_()
    for subject in result.subjects:
        assert f"<b>{subject.label}</b>" in html
        assert subject.patient in html
    assert "notes.txt: it is not a clip" in html
    assert html.count("not a medical device") == 1
    movies = re.findall(r'src="data:image/webp;base64,([^"]+)"', html)
    assert len(movies) == html.count("src=") == 2
    with Image.open(io.BytesIO(base64.b64decode(movies[0]))) as movie:
        assert movie.n_frames > 1
    assert "<script" not in html
