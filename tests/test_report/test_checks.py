"""The checks of a saliency map as a reader meets them."""

import json

import pytest

from echokit.report import build_run_report, build_study_page
from echokit.report.checks import checks

SCORES = {
    "sector": {"energy": 0.9, "area": 0.5},
    "flat": False,
    "randomisation": {"layers": ["head", "stem"], "similarity": [0.4, 0.05], "passed": True},
    "deletion": {"curve": [0.9, 0.3, 0.1], "auc": 0.4, "chance": 0.61},
    "insertion": {"curve": [0.1, 0.8, 0.9], "auc": 0.65, "chance": 0.61},
    "shuffle": {"probability": 0.9, "shuffled": 0.72, "flat": 0.33},
    "verdict": {"passed": True, "reasons": []},
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
    assert "Passes the checks." in page.text
    assert "Flagged:" not in page.text
    assert "head 0.40, stem 0.05" in page.text
    assert "Marked parts blurred first: mean probability 0.40, with parts in random" in page.text
    assert "order 0.61 (lower than random is better)" in page.text
    assert "0.90 as recorded, 0.72 shuffled, 0.33 on a standing picture" in page.text
    assert "A map that passes is not proven right" in page.text
    said = [svg.get("aria-label") or "" for svg in page.all("svg")]
    assert any("deletion from 0.90 to 0.10; insertion from 0.10 to 0.90" in s for s in said)


@pytest.mark.parametrize("kind", ["run", "study"])
def test_a_flagged_map_says_why(page_with, kind):
    text = page_with[kind](SCORES | FLAGGED).text
    assert "Flagged: The map shows the picture." in text
    assert "Passes the checks." not in text


@pytest.mark.parametrize("kind", ["run", "study"])
def test_words_of_a_network_stay_words(page_with, kind, kit):
    found = {"layers": [kit.HOSTILE], "similarity": [0.1], "passed": True}
    page = page_with[kind](SCORES | {"randomisation": found})
    assert "script" not in page.tags
    assert kit.HOSTILE in page.text


def test_a_map_of_an_older_run_is_shown_without_checks(run_page):
    assert "Passes the checks." not in run_page.text
    assert "Flagged:" not in run_page.text
    assert checks({"sector": {"energy": 0.9, "area": 0.5}}) is None
    assert checks(None) is None


def test_what_was_not_measured_is_not_told():
    bare = dict.fromkeys(("randomisation", "deletion", "insertion", "shuffle")) | FLAGGED
    found = checks(bare)
    assert (found.details, found.chart) == ((), None)
    assert found.reasons == ("The map shows the picture.",)
