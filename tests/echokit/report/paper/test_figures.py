"""Figures 2 and 3 drawn from arrays whose every frame is known by its grey."""

import json

import numpy as np
import pytest
from PIL import Image, ImageColor

from echokit.report import build_run_report, run_page
from echokit.report.paper.figures import choose_beat, figure_2, figure_3
from echokit.report.pictures.example import read_example
from echokit.report.pictures.sheet import ALARM, EDGE

LABELS = ("none", "mild", "moderate-severe")
BEAT = {"systole": 4, "diastole": 9, "between": [6, 1], "rate": 140.0, "quality": 0.8}
K = 12


def grey(frame):
    """The grey of a frame in these tests."""
    return 20 + 10 * frame


def write_arrays(run, name="saliency/a.npz", k=K, **other):
    """Frames of one grey each; saliency fills the right half of each."""
    saliency = np.zeros((k, 8, 8), np.float32)
    saliency[:, :, 4:] = 1
    frames = np.empty((k, 32, 32), np.uint8)
    frames[:] = np.array([grey(t) for t in range(k)])[:, None, None]
    arrays = {"frames": frames, "saliency": saliency, "sector": np.ones((8, 8), bool)} | other
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(run / name, **arrays)
    return name


def facts(**other):
    """An entry of saliency/index.json."""
    return {
        "task": "severity", "approach": "spatio-temporal", "view": "PSAX-P", "split": 0,
        "patient": "p1", "clip": "c1", "label": "mild", "predicted": "mild", "confidence": 0.9,
        "start": 0, "method": "captum-gradcam", "array": "saliency/a.npz", "phases": BEAT,
    } | other  # fmt: skip


def pixels(sheet):
    return np.asarray(sheet.convert("RGB")).astype(int)


def greys(sheet):
    """Every grey of a frame that fills a large block of the sheet, from left to right."""
    picture = pixels(sheet)
    found = {}
    for t in range(K):
        mask = (picture == grey(t)).all(-1)
        if mask.sum() > 5000:
            found[t] = np.nonzero(mask)[1].mean()
    return sorted(found, key=found.__getitem__)


def alarmed(picture):
    return int((pixels(picture) == ImageColor.getrgb(ALARM)).all(-1).sum())


@pytest.fixture
def example(tmp_path):
    """A function that reads an example with other facts."""
    write_arrays(tmp_path)
    return lambda **other: read_example(tmp_path, facts(**other))


def test_figure_2_shows_the_systolic_frame_and_beside_it_the_saliency(example):
    sheet = figure_2({"mild": example()}, ["mild"], "PSAX-P", synthetic=False)
    assert greys(sheet) == [BEAT["systole"]]
    picture = pixels(sheet)
    row = picture[picture.shape[0] // 2]
    bare, right = row[EDGE : EDGE + 420], row[EDGE + 432 : EDGE + 852]
    assert (bare == grey(4)).all()
    assert (right[:150] == grey(4)).all()
    assert (right[270:].max(-1) - right[270:].min(-1) > 60).all()


def test_figure_2_has_a_row_for_every_label(example):
    shown = {label: example(label=label, predicted=label) for label in LABELS}
    whole = figure_2(shown, LABELS, "PSAX-P", synthetic=False)
    two = figure_2(dict(list(shown.items())[:2]), LABELS, "PSAX-P", synthetic=False)
    one_row = 420
    assert whole.height - two.height > one_row
    assert two.height > 2 * one_row


def test_a_wrong_prediction_and_a_synthetic_cohort_are_marked(example):
    def inks(synthetic, **other):
        given = example(**other)
        two = figure_2({given.facts["label"]: given}, LABELS, "PSAX-P", synthetic)
        return alarmed(two), alarmed(figure_3(given, "PSAX-P", synthetic))

    assert inks(synthetic=False) == (0, 0)
    assert min(inks(synthetic=True)) > 100
    assert min(inks(synthetic=False, predicted="none")) > 100


PASSES = {"verdict": {"passed": True, "reasons": []}}
FAILS = {"verdict": {"passed": False, "reasons": ["It shows the picture."]}}


@pytest.mark.parametrize(
    ("scores", "words", "flagged"),
    [
        (PASSES, "Map passes its checks", False),
        (FAILS, "Map fails its checks: do not read it", True),
        (None, "Map not checked", False),
    ],
)
def test_every_map_carries_its_verdict(small, kit, scores, words, flagged):
    explain(small)
    index = json.loads((small / "saliency" / "index.json").read_text())
    for one in index["maps"]:
        one["scores"] = scores
    (small / "saliency" / "index.json").write_text(json.dumps(index))
    given = read_example(small, index["maps"][0])
    assert given.checked[0] == words
    for sheet in (
        figure_2({"none": given}, ["none"], "PLAX", synthetic=False),
        figure_3(given, "PLAX", synthetic=False),
    ):
        assert (alarmed(sheet) > 100) == flagged
    shown = [image["alt"] for image in kit.Page(build_run_report(small)).all("img")]
    figures = [alt for alt in shown if alt.startswith("Figure")]
    assert len(figures) == 2
    assert f"none: {words.lower()}; PH: {words.lower()}" in figures[0]
    assert words in figures[1]


def test_figure_3_runs_systole_mid_diastole_mid(example):
    assert greys(figure_3(example(), "PSAX-P", synthetic=False)) == [4, 6, 9, 1]


def test_a_phase_that_the_sequence_does_not_reach_is_left_empty(example):
    phases = BEAT | {"diastole": None}
    assert greys(figure_3(example(phases=phases), "PSAX-P", synthetic=False)) == [4, 6, 1]


@pytest.mark.parametrize(
    "phases",
    [None, {}, {"systole": 40, "between": "no"}, {"systole": None, "between": [None, None]}],
)
def test_without_a_beat_frames_stand_at_even_distances(example, phases):
    given = example(phases=phases)
    assert greys(figure_3(given, "PSAX-P", synthetic=False)) == [0, 4, 7, 11]
    assert given.systole() == (6, "frame 7 of 12")


def test_a_sequence_of_one_frame_is_not_counted(tmp_path):
    write_arrays(tmp_path, k=1)
    assert read_example(tmp_path, facts(phases=None)).systole() == (0, "one frame")


def test_doubtful_phases_carry_a_question_mark(example):
    assert example().systole()[1] == "systole, frame 5 of 12"
    assert example(phases=BEAT | {"quality": 0.2}).systole()[1] == "systole?, frame 5 of 12"


def test_figure_3_takes_the_surest_right_one_of_the_most_severe_label(example):
    severe = {"label": "moderate-severe", "predicted": "moderate-severe"}
    best = example(**severe, view="PLAX", confidence=0.8)
    others = [
        example(**severe, view="PLAX", confidence=0.7),
        example(**severe, view="A4C", confidence=1.0),
        example(label="moderate-severe", predicted="none", view="PLAX", confidence=1.0),
        example(view="PLAX", confidence=1.0),
    ]
    assert choose_beat([*others, best], LABELS) is best
    assert choose_beat(others[2:3], LABELS) is others[2]
    assert choose_beat([], LABELS) is None


@pytest.mark.parametrize(
    ("arrays", "array", "words"),
    [
        ({}, None, "names no array"),
        ({}, "saliency/none.npz", "cannot be read"),
        ({}, "../elsewhere.npz", "outside the run"),
        ({"frames": np.zeros((K, 8, 8))}, "saliency/a.npz", "not uint8"),
        ({"frames": np.zeros((3, 8, 8), np.uint8)}, "saliency/a.npz", "does not fit its frames"),
        ({"saliency": np.full((K, 8, 8), np.nan)}, "saliency/a.npz", "does not fit its frames"),
        ({"sector": np.ones((3, 8), bool)}, "saliency/a.npz", "does not fit its saliency"),
        ({"frames": np.array([{}], object)}, "saliency/a.npz", "cannot be read"),
    ],
)
def test_what_cannot_be_drawn_is_said(tmp_path, arrays, array, words):
    run = tmp_path / "run"
    write_arrays(run, **arrays)
    write_arrays(tmp_path, "elsewhere.npz")
    assert words in read_example(run, facts(array=array))


def explain(run, **other):
    """Give a run from the fixtures arrays: PLAX with two labels, PSAX-P with one broken file."""
    write_arrays(run)
    (run / "saliency" / "broken.npz").write_bytes(b"PK not a zip file")
    task = {"task": "binary", "approach": "spatial"} | other
    maps = [
        facts(**task, view="PLAX", label="none", predicted="none"),
        facts(**task, view="PLAX", label="PH", predicted="PH"),
        facts(**task, label="PH", predicted="none", array="saliency/broken.npz"),
    ]
    (run / "saliency" / "index.json").write_text(json.dumps({"schema": 1, "maps": maps}))


def test_the_page_carries_the_figures_and_names_what_is_missing(small, kit):
    explain(small)
    page = kit.Page(build_run_report(small))
    figures = small / "report" / "figures"
    names = {"figure-2-binary-spatial-PLAX.png", "figure-3-binary-spatial-PLAX.png"}
    charts = {"roc-binary-spatial.svg", "confusion-binary-spatial.svg"}
    assert {path.name for path in figures.iterdir()} == names | charts
    assert all(f"report/figures/{name}" in page.text for name in names | charts)
    assert "Not drawn: PSAX-P PH (binary, spatial): its array cannot be read" in page.text
    shown = [image["alt"] for image in page.all("img") if image["alt"].startswith("Figure")]
    assert [alt[:8] for alt in shown] == ["Figure 2", "Figure 3"]
    with Image.open(figures / "figure-2-binary-spatial-PLAX.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=1)


def test_a_figure_that_does_not_fit_is_linked(small, kit, monkeypatch):
    explain(small)
    monkeypatch.setattr(run_page, "BUDGET", 100)
    page = kit.Page(build_run_report(small))
    links = [link["href"] for link in page.all("a") if not link["href"].startswith("#")]
    assert links == [
        "figures/figure-2-binary-spatial-PLAX.png",
        "figures/figure-3-binary-spatial-PLAX.png",
    ]
    assert all((small / "report" / link).is_file() for link in links)


def test_names_from_elsewhere_stay_in_the_folder(small, kit):
    explain(small, approach="../../<b>x")
    page = kit.Page(build_run_report(small))
    assert "<b>x" not in page.source
    assert "figure-2-binary-_b_x-PLAX.png" in {
        path.name for path in (small / "report" / "figures").iterdir()
    }
