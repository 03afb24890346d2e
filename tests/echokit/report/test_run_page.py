import json
import re
from itertools import pairwise

import pytest

from echokit import UsageError
from echokit.evaluation.metric_names import REPORTED
from echokit.report import build_run_report
from echokit.report.pictures.embed import Album
from echokit.report.results import read_results
from echokit.report.sections.cohort import cohort_view
from echokit.report.sections.figures import task_figures
from echokit.report.words import DISCLAIMER, SYNTHETIC, lies_in
from echokit.saliency.pictures import saliency_movie


def test_it_answers_a_readers_questions(run, run_page, kit):
    text = run_page.text
    results = read_results(run)
    assert all(task_figures(results, task).verdict in text for task in results.tasks)
    assert all(view in text for view in kit.SKILL)
    assert all(reason in text for _, _, reason in cohort_view(results).rejected)
    assert all(said in text for said in cohort_view(results).dropped)
    assert "3 min 34 s" in text  # the stage of training
    assert lies_in("septum", {"energy": 0.31, "area": 0.06}) in text
    assert f"echokit run {run.parent.name}/demo/recipe.toml" in text
    assert run_page.data("file") == []
    assert "gaps" not in run_page.ids
    assert (run / "report" / "index.html").is_file()


def test_the_answer_comes_first_and_each_disclaimer_once(run_page):
    assert run_page.text.count(SYNTHETIC) == 1
    assert run_page.text.count(DISCLAIMER) == 1
    source = run_page.source
    places = [source.index(f'id="{name}"') for name in ("task-1", "saliency", "cohort", "time")]
    assert source.index(DISCLAIMER) < places[0]
    assert places == sorted(places)


def test_it_is_one_file_of_bounded_size_without_script(run_page):
    assert len(run_page.source) < 8_000_000
    assert "script" not in run_page.tags
    assert "http://" not in run_page.source
    assert "https://" not in run_page.source
    policy = next(m["content"] for m in run_page.all("meta") if "http-equiv" in m)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(image["src"].startswith("data:image/") for image in run_page.all("img"))
    assert len(run_page.all("img")) == 30  # 5 labels x 3 views, movie and stills


@pytest.mark.parametrize("which", ["run_page", "study_page"])
def test_its_structure_is_accessible(request, which):
    page = request.getfixturevalue(which)
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert [(a, b) for a, b in pairwise(levels) if b > a + 1] == []
    assert all(image.get("alt") for image in page.all("img"))
    assert page.tags.count("table") == page.tags.count("caption")
    assert all(s.get("aria-label") or s.get("aria-hidden") for s in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.attributes if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_the_same_results_make_the_same_page(small):
    assert build_run_report(small).read_bytes() == build_run_report(small).read_bytes()


def test_a_real_cohort_carries_no_synthetic_banner(tmp_path, kit):
    run = kit.write_run(
        tmp_path, patients=20, splits=1, tasks=kit.BINARY, approaches=("spatial",), synthetic=False
    )
    text = kit.Page(build_run_report(run)).text
    assert "ynthetic" not in text
    assert text.count(DISCLAIMER) == 1
    table = (run / "cohort.csv").read_text()
    (run / "cohort.csv").write_text(table.replace("False", "True", 1))
    assert SYNTHETIC in kit.Page(build_run_report(run)).text


def test_one_split_has_no_deviation_and_the_page_says_why(small, kit):
    (why,) = task_figures(read_results(small), "binary").notes
    text = kit.Page(build_run_report(small)).text
    assert why in text
    assert " ± 0." not in text


@pytest.mark.parametrize(
    "absent",
    [
        "run.json",
        "environment.json",
        "cohort.csv",
        "metrics.json",
        "predictions.parquet",
        "saliency/index.json",
        "recipe.toml",
        "models",
    ],
)
def test_a_partial_run_makes_a_page_that_names_what_is_missing(small, kit, absent):
    (small / absent).rename(small.parent / "elsewhere")
    page = kit.Page(build_run_report(small))
    assert any(absent in file for file in page.data("file"))
    assert "gaps" in page.ids
    text = page.text
    assert f"echokit run --resume {small.parent.name}/demo" in text


def test_a_recipe_without_explainer_misses_no_saliency(small, kit):
    (small / "saliency" / "index.json").unlink()
    for file in (small / "saliency").iterdir():
        file.unlink()
    (small / "saliency").rmdir()
    recipe = (small / "recipe.toml").read_text()
    (small / "recipe.toml").write_text(re.sub("explain = .*\n", "", recipe))
    assert kit.Page(build_run_report(small)).data("file") == []


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"rows": [{}], "maps": 3}'])
def test_broken_files_are_named_not_fatal(tmp_path, kit, broken):
    model = "models/severity/spatial/PLAX/split-00.json"
    named = ["cohort.csv", "metrics.json", "predictions.parquet", "saliency/index.json", model]
    for name in [*named, "run.json", "environment.json", "recipe.toml"]:
        kit.dump(tmp_path / name, 0)
        (tmp_path / name).write_text(broken)
    assert set(named) <= set(kit.Page(build_run_report(tmp_path)).data("file"))


def test_rows_that_lack_figures_are_shown_without_them(small, kit):
    document = json.loads((small / "metrics.json").read_text())
    document["rows"][0] = {"task": "binary", "approach": "spatial", "views": "PLAX"}
    document["rows"][1]["auroc"] = None
    document["rows"][2]["f1"]["ci95"] = None
    kit.dump(small / "metrics.json", document)
    task = task_figures(read_results(small), "binary")
    first, second, third = task.approaches[0].lines[:3]
    assert {cell.value for cell in first.cells} == {"–"}
    assert second.cells[REPORTED.index("auroc")].value == "–"
    assert third.cells[REPORTED.index("f1")].interval == "–"
    text = kit.Page(build_run_report(small)).text
    assert len(task.notes) == 3  # no deviation, no interval, no AUROC
    assert all(note in text for note in task.notes)


def test_an_empty_folder_makes_a_page_and_no_folder_an_error(tmp_path, kit):
    (tmp_path / "empty").mkdir()
    assert "metrics.json" in kit.Page(build_run_report(tmp_path / "empty")).data("file")
    with pytest.raises(UsageError, match="There is no run at"):
        build_run_report(tmp_path / "nowhere")


def test_frames_are_counted_from_one_and_of_what_is_said(small, kit):
    text = kit.Page(build_run_report(small)).text
    assert "sequence from frame 8 of the clip on, split 0" in text  # start 7 in the index
    document = json.loads((small / "saliency" / "index.json").read_text())
    for entry in document["maps"]:
        del entry["start"]
    kit.dump(small / "saliency" / "index.json", document)
    assert "from frame" not in kit.Page(build_run_report(small)).text


def test_a_run_that_is_not_finished_says_so(small, kit):
    document = json.loads((small / "run.json").read_text()) | {"finished": None}
    document["stages"][-1]["done"] = False
    kit.dump(small / "run.json", document)
    text = kit.Page(build_run_report(small)).text
    assert "not finished" in text
    assert "not done" in text


def test_hostile_words_stay_words(tmp_path, kit):
    tasks = {"severity": ["none", "mild", kit.HOSTILE], "a<b>": ["none", '"><img src=x>']}
    run = kit.write_run(
        tmp_path,
        patients=30,
        splits=1,
        approaches=("spatio-temporal",),
        evil=kit.HOSTILE,
        tasks=tasks,
    )
    page = kit.Page(build_run_report(run))
    assert "script" not in page.tags
    assert page.text.count(kit.HOSTILE) > 20
    assert all(image["src"].startswith("data:") for image in page.all("img"))


def test_pictures_outside_the_run_are_not_carried_away(small, kit):
    pixels, values, _ = kit.fan()
    private = small.parent / "private.webp"
    saliency_movie(pixels, values, private, 12.0)
    document = json.loads((small / "saliency" / "index.json").read_text())
    for entry in document["maps"]:
        entry |= {"movie": "../private.webp", "strip": str(private)}
    kit.dump(small / "saliency" / "index.json", document)
    assert not kit.Page(build_run_report(small)).all("img")


def test_the_page_stays_within_its_budget(small, kit, monkeypatch):
    def carried():
        return sum(len(image["src"]) for image in kit.Page(build_run_report(small)).all("img"))

    whole = carried()
    monkeypatch.setattr("echokit.report.run_page.BUDGET", whole // 3)
    assert 0 < carried() <= whole // 3
    assert "No picture in this page" in kit.Page(build_run_report(small)).text


def test_a_movie_that_does_not_fit_gives_way_to_its_stills(small, kit, monkeypatch):
    room = len(Album(small, 10**9).still(small / "saliency" / "one.png").uri)
    assert len(Album(small, 10**9).movie(small / "saliency" / "one.webp").uri) > room
    monkeypatch.setattr("echokit.report.run_page.BUDGET", room)
    assert "The movie did not fit into this page" in kit.Page(build_run_report(small)).text
