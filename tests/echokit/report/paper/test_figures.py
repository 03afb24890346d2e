"""Figures 2 and 3 drawn from arrays whose every frame is known by its grey."""

import json
import tomllib

import numpy as np
import pytest
import tomli_w
from matplotlib.text import Text
from PIL import Image

from echokit.report import build_run_report, run_page
from echokit.report.charts.sheets import ALARM
from echokit.report.paper.figures import choose_beat
from echokit.report.paper.layout import beat_grid, labels_grid
from echokit.report.pictures.example import Moment, read_example
from echokit.report.words import SYNTHETIC
from echokit.saliency.overlay import overlay, palette, place

LABELS = ("none", "mild", "moderate-severe")
BEAT = {"systole": 4, "diastole": 9, "between": [6, 1], "rate": 140.0, "quality": 0.8}
BEAT_PHASES = ("systole", "middle", "diastole", "middle")
K = 12
FIGURES = [
    {"name": "2", "label": "Figure 2", "layout": "labels", "phases": ["systole"]},
    {"name": "3", "label": "Figure 3", "layout": "beat", "phases": BEAT_PHASES, "views": ["PLAX"]},
]


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


def drawn(figure):
    """Every picture of a figure by the row and column of its axes: the array that is plotted."""
    return {
        (place.rowspan.start, place.colspan.start): np.asarray(axes.images[0].get_array())
        for axes in figure.axes
        if (place := axes.get_subplotspec()) and axes.images
    }


def frames(figure, row=0):
    """The frames of a row, from left to right, told by their grey; None for a coloured one."""
    found = {}
    for (at, column), array in drawn(figure).items():
        if at == row:
            (t,) = {(int(array.flat[0]) - 20) // 10} if array.ndim == 2 else (None,)
            assert t is None or (array == grey(t)).all()
            found[column] = t
    return [found.get(column) for column in range(max(found) + 1)]


def words(figure):
    """What a figure says -> the colour that it is said in."""
    figure.draw_without_rendering()
    said = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    return {" ".join(text.get_text().split()): text.get_color() for text in said}


def alarmed(figure):
    return {said for said, colour in words(figure).items() if colour == ALARM}


@pytest.fixture
def example(tmp_path):
    """A function that reads an example with other facts."""
    write_arrays(tmp_path)
    return lambda **other: read_example(tmp_path, facts(**other))


def test_figure_2_shows_the_systolic_frame_and_beside_it_the_saliency(example):
    given = example()
    figure = labels_grid({"mild": given}, ["mild"], "systole", "PSAX-P", synthetic=False)
    arrays = drawn(figure)
    assert (arrays[0, 0] == given.frames[BEAT["systole"]]).all()
    placed = place(given.saliency[BEAT["systole"]], (32, 32), None, given.sector)
    assert (arrays[0, 1] == overlay(given.frames[BEAT["systole"]], placed)).all()
    spread = arrays[0, 1].astype(int).max(-1) - arrays[0, 1].min(-1)
    assert (spread[:, :10] == 0).all()  # bare where no saliency is
    assert (spread[:, 22:] > 60).all()
    (bare, *_), (colours,) = [
        [a for a in figure.axes if bool(a.images) == b] for b in (True, False)
    ]
    assert bare.images[0].get_clim() == (0, 255)
    assert {"little", "much"} <= set(words(figure))
    mesh = colours.collections[-1]
    assert (np.round(mesh.get_cmap()(np.arange(256))[:, :3] * 255) == palette()).all()


def test_figure_2_has_a_row_for_every_label_least_severe_first(example):
    phases = dict(zip(LABELS, (1, 2, 3), strict=True))
    shown = {
        label: example(label=label, predicted=label, phases=BEAT | {"systole": t})
        for label, t in phases.items()
    }
    figure = labels_grid(shown, LABELS, "systole", "PSAX-P", synthetic=False)
    assert [frames(figure, row) for row in range(3)] == [[1, None], [2, None], [3, None]]
    del shown["mild"]
    figure = labels_grid(shown, LABELS, "systole", "PSAX-P", synthetic=False)
    assert sorted(drawn(figure)) == [(0, 0), (0, 1), (2, 0), (2, 1)]
    assert "no sequence was explained" in words(figure)


def test_a_wrong_prediction_and_a_synthetic_cohort_are_marked(example):
    def alarms(synthetic, **other):
        given = example(**other)
        two = labels_grid({given.facts["label"]: given}, LABELS, "systole", "PSAX-P", synthetic)
        return alarmed(two), alarmed(beat_grid(given, BEAT_PHASES, "PSAX-P", synthetic))

    assert alarms(synthetic=False) == (set(), set())
    assert alarms(synthetic=True) == ({SYNTHETIC}, {SYNTHETIC})
    two, three = alarms(synthetic=False, predicted="none")
    assert two == {"wrong: predicted none, confidence 0.90"}
    assert three == {"true mild; wrong: predicted none, confidence 0.90"}


PASSES = {"verdict": {"passed": True, "reasons": []}}
FAILS = {"verdict": {"passed": False, "reasons": ["It shows the picture."]}}


@pytest.mark.parametrize(
    ("scores", "said", "flagged"),
    [
        (PASSES, "Map passes its checks", False),
        (FAILS, "Map fails its checks: do not read it", True),
        (None, "Map not checked", False),
    ],
)
def test_every_map_carries_its_verdict(small, kit, scores, said, flagged):
    explain(small)
    index = json.loads((small / "saliency" / "index.json").read_text())
    for one in index["maps"]:
        one["scores"] = scores
    (small / "saliency" / "index.json").write_text(json.dumps(index))
    given = read_example(small, index["maps"][0])
    for figure in (
        labels_grid({"none": given}, ["none"], "systole", "PLAX", synthetic=False),
        beat_grid(given, BEAT_PHASES, "PLAX", synthetic=False),
    ):
        assert said in words(figure)
        assert alarmed(figure) == ({said} if flagged else set())
    shown = [image["alt"] for image in kit.Page(build_run_report(small)).all("img")]
    figures = [alt for alt in shown if alt.startswith("Figure")]
    assert len(figures) == 2
    assert f"none: {said.lower()}; PH: {said.lower()}" in figures[0]
    assert said in figures[1]


def test_figure_3_runs_systole_mid_diastole_mid_above_the_same_under_their_saliency(example):
    given = example()
    figure = beat_grid(given, BEAT_PHASES, "PSAX-P", synthetic=False)
    assert frames(figure) == [4, 6, 9, 1]
    arrays = drawn(figure)
    for column, t in enumerate((4, 6, 9, 1)):
        assert (arrays[1, column] == given.coloured(t)).all()


def test_a_phase_that_the_sequence_does_not_reach_is_left_empty(example):
    given = example(phases=BEAT | {"diastole": None})
    figure = beat_grid(given, BEAT_PHASES, "PSAX-P", synthetic=False)
    assert frames(figure) == [4, 6, None, 1]
    assert (0, 2) not in drawn(figure)
    assert "not in this sequence" in words(figure)


def test_other_phases_are_drawn_as_they_are_asked_for(example):
    assert frames(beat_grid(example(), ("diastole", "systole"), "", synthetic=False)) == [9, 4]


@pytest.mark.parametrize(
    "phases",
    [None, {}, {"systole": 40, "between": "no"}, {"systole": None, "between": [None, None]}],
)
def test_without_a_beat_frames_stand_at_even_distances(example, phases):
    given = example(phases=phases)
    assert frames(beat_grid(given, BEAT_PHASES, "PSAX-P", synthetic=False)) == [0, 4, 7, 11]
    assert given.moments(["systole"]) == [Moment(6, "frame 7 of 12")]


def test_a_sequence_of_one_frame_is_not_counted(tmp_path):
    write_arrays(tmp_path, k=1)
    assert read_example(tmp_path, facts(phases=None)).moments(["systole"]) == [
        Moment(0, "one frame")
    ]


def test_doubtful_phases_carry_a_question_mark(example):
    def name(**other):
        (moment,) = example(**other).moments(["systole"])
        return moment.name

    assert name() == "systole, frame 5 of 12"
    assert name(phases=BEAT | {"quality": 0.2}) == "systole?, frame 5 of 12"


def test_figure_3_takes_the_surest_right_one_of_the_most_severe_label(example):
    severe = {"label": "moderate-severe", "predicted": "moderate-severe"}
    best = example(**severe, view="PLAX", confidence=0.8)
    others = [
        example(**severe, view="PLAX", confidence=0.7),
        example(**severe, view="A4C", confidence=1.0),
        example(label="moderate-severe", predicted="none", view="PLAX", confidence=1.0),
        example(view="PLAX", confidence=1.0),
    ]
    assert choose_beat([*others, best], LABELS, ["PLAX"]) is best
    assert choose_beat([*others, best], LABELS) is others[1]  # no view is preferred
    assert choose_beat(others[2:3], LABELS, ["PLAX"]) is others[2]
    assert choose_beat([], LABELS, ["PLAX"]) is None


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
    recipe = tomllib.loads((run / "recipe.toml").read_text())
    published = {"source": "a paper", "columns": [], "rows": {}, "figures": FIGURES}
    (run / "recipe.toml").write_text(tomli_w.dumps(recipe | {"published": published}))


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


def test_a_recipe_that_names_no_pictures_has_none(small, kit):
    explain(small)
    recipe = tomllib.loads((small / "recipe.toml").read_text())
    for published in ({}, {"published": recipe["published"] | {"figures": []}}):
        del recipe["published"]
        (small / "recipe.toml").write_text(tomli_w.dumps(recipe | published))
        page = kit.Page(build_run_report(small))
        assert not any(image["alt"].startswith("Figure") for image in page.all("img"))
        assert not list((small / "report" / "figures").glob("figure-*"))
        recipe |= {"published": {}}


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
