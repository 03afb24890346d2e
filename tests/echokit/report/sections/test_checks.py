"""The checks of a saliency map as a reader meets them."""

import json
import re
import shutil

import pytest

from echokit.report import build_run_report, build_study_page
from echokit.report.sections.checks import checks, left_out, network_verdicts

SCORES = {
    "sector": {"energy": 0.9, "area": 0.5},
    "flat": False,
    "places": {
        "sector": {"energy": 0.9, "chance": 0.52, "sd": 0.1, "p": 0.01},
        "structures": {"energy": 0.4, "chance": 0.31, "sd": 0.08, "p": 0.12},
    },
    "randomisation": {"layers": ["head", "stem"], "similarity": [0.4, 0.05], "passed": True},
    "deletion": {
        "at": [0, 0.1, 1],
        "curve": [0.9, 0.3, 0.1],
        "auc": 0.4,
        "chance": 0.403,
        "sd": 0.0012,
    },
    "insertion": {
        "at": [0, 0.1, 1],
        "curve": [0.1, 0.8, 0.9],
        "auc": 0.65,
        "chance": 0.61,
        "sd": 0.03,
    },
    "gap": {"value": 0.25, "chance": 0.207, "sd": 0.031, "p": 0.05},
    "shuffle": {"probability": 0.9, "shuffled": 0.72, "flat": 0.33},
    "verdict": {"passed": True, "reasons": []},
}
OLD = {
    "deletion": {"curve": [0.9, 0.3, 0.1], "auc": 0.4, "chance": 0.61},
    "insertion": {"curve": [0.1, 0.8, 0.9], "auc": 0.65, "chance": 0.61},
}
FLAGGED = {"verdict": {"passed": False, "reasons": ["The map shows the picture."]}}


@pytest.fixture
def page_with(small, tmp_path, kit):
    """A function that makes both kinds of page with one map's scores everywhere."""

    def run(scores):
        index = json.loads((small / "saliency" / "index.json").read_text())
        for one in index["maps"]:
            one["scores"] = scores
        kit.dump(small / "saliency" / "index.json", index)
        return kit.Page(build_run_report(small))

    def study(scores):
        out = kit.write_study(tmp_path)
        document = json.loads((out / "prediction.json").read_text())
        for clip in document["subjects"][0]["clips"]:
            clip["saliency"]["scores"] = scores
        kit.dump(out / "prediction.json", document)
        return kit.Page(build_study_page(out))

    return {"run": run, "study": study}


@pytest.mark.parametrize("kind", ["run", "study"])
def test_a_page_says_whether_a_map_passes_and_shows_the_figures(page_with, kind):
    page = page_with[kind](SCORES)
    assert 'class="note passed"' in page.source
    assert 'class="note flagged"' not in page.source
    details = checks(SCORES).details
    assert all(detail in page.text for detail in details)
    assert [re.findall(r"\d+\.\d+", detail) for detail in details] == [
        ["0.40", "0.05"],
        ["0.400", "0.403", "0.001"],
        ["0.650", "0.610", "0.030"],
        ["0.250", "0.207", "0.031", "0.05"],
        ["0.900", "0.520", "0.100", "0.01"],
        ["0.400", "0.310", "0.080", "0.12"],
        ["0.90", "0.72", "0.33"],
    ]
    assert page.text.count("A map that passes is not proven right") == 1
    said = [svg.get("aria-label") or "" for svg in page.all("svg")]
    assert any("deletion from 0.90 to 0.10; insertion from 0.10 to 0.90" in s for s in said)


@pytest.mark.parametrize("kind", ["run", "study"])
def test_a_flagged_map_says_why(page_with, kind):
    page = page_with[kind](SCORES | FLAGGED)
    assert "Flagged: The map shows the picture." in page.text
    assert 'class="note passed"' not in page.source


@pytest.mark.parametrize("kind", ["run", "study"])
def test_words_of_a_network_stay_words(page_with, kind, kit):
    found = {"layers": [kit.HOSTILE], "similarity": [0.1], "passed": True}
    page = page_with[kind](SCORES | {"randomisation": found})
    assert "script" not in page.tags
    assert kit.HOSTILE in page.text


@pytest.mark.parametrize("kind", ["run", "study"])
def test_checks_of_an_earlier_version_are_shown_as_they_were_made(page_with, kind):
    page = page_with[kind]({k: v for k, v in SCORES.items() if k not in ("gap", "places")} | OLD)
    assert re.search(r"0\.400, [^.]*random order 0\.610", page.text)
    said = [svg.get("aria-label") or "" for svg in page.all("svg")]
    assert any("deletion from 0.90 to 0.10" in s for s in said)


def test_the_curves_are_drawn_at_the_shares_they_were_measured_at():
    assert checks(SCORES).chart != checks(SCORES | OLD).chart
    evenly = {k: SCORES[k] | {"at": [0, 0.5, 1]} for k in OLD}
    assert checks(SCORES | evenly).chart == checks(SCORES | OLD).chart


def test_a_flagged_network_is_named_above_its_maps(small, kit):
    path = small / "saliency" / "index.json"
    index = json.loads(path.read_text())
    place = {"task": index["maps"][0]["task"], "approach": "spatio-temporal", "split": 0}
    order = {"shuffle": 0.1, "changed": 0.2, "n": 9}
    index["networks"] = [
        place | order | {"view": "PLAX", "maps": 3, "passed": 1, "flagged": True},
        place | order | {"view": "A4C", "maps": 3, "passed": 2, "flagged": False},
    ]
    kit.dump(path, index)
    ((plax, a4c),) = network_verdicts(index["networks"]).values()
    assert (plax[0], a4c[0]) == (True, False)
    assert [re.findall(r"\b\d\b", words) for _, words in (plax, a4c)] == [["1", "3"], ["2", "3"]]
    text = kit.Page(build_run_report(small)).text
    assert text.count("Flagged network:") == 1
    assert text.index(plax[1]) < text.index(a4c[1]) < text.index("True label")


def test_networks_of_an_earlier_version_are_not_judged():
    old = {"task": "severity", "approach": "spatial", "view": "A4C", "shuffle": 0.1, "n": 3}
    assert network_verdicts([old]) == {}
    assert network_verdicts([old | {"maps": 0, "passed": 0, "flagged": None}]) == {}


def test_a_map_of_an_older_run_is_shown_without_checks(run_page):
    assert 'class="note passed"' not in run_page.source
    assert 'class="note flagged"' not in run_page.source
    assert checks({"sector": {"energy": 0.9, "area": 0.5}}) is None
    assert checks(None) is None


def test_what_was_not_measured_is_not_told():
    bare = dict.fromkeys(("randomisation", "deletion", "insertion", "shuffle")) | FLAGGED
    found = checks(bare)
    assert (found.details, found.chart) == ((), None)
    assert found.reasons == ("The map shows the picture.",)


def test_predictions_that_were_not_explained_are_counted_on_the_page(small, tmp_path, kit):
    index = json.loads((small / "saliency" / "index.json").read_text())
    place = {"task": "severity", "approach": "spatial"}
    first, second = index["networks"] = [place | {"view": view} for view in ("PLAX", "A4C")]
    assert left_out(index["networks"]) == ""
    assert "report.passes" not in kit.Page(build_run_report(small)).text
    first["left_out"], second["left_out"] = 1, 0
    assert left_out(index["networks"]).startswith("1 prediction that could have been explained was")
    second["left_out"] = 4
    told = left_out(index["networks"])
    assert told.startswith("5 predictions that could have been explained were not")
    assert f"4 of {second['task']}, {second['approach']}, {second['view']}." in told
    run = shutil.copytree(small, tmp_path / "run")
    (run / "saliency" / "index.json").write_text(json.dumps(index))
    (run / "digests.json").unlink(missing_ok=True)
    assert told in kit.Page(build_run_report(run)).text
