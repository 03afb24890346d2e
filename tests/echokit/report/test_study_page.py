import json
import re

import pytest

from echokit import UsageError
from echokit.report import build_study_page
from echokit.report.words import DISCLAIMER


def test_it_gives_the_prediction_the_votes_and_what_is_missing(study, study_page):
    document = json.loads((study / "prediction.json").read_text())
    (subject,) = document["subjects"]
    text = study_page.text
    assert study_page.data("label") == [subject["label"]]
    assert study_page.data("view") == ["PLAX", "A4C", "PSAX-P"]
    assert study_page.data("agrees") == ["true", "false", "true"]
    assert re.search(r"2 of 3 clips .*0\.83 \(consistent\)", text)
    assert "3 of 5 required views" in text
    assert all(view in text for view in subject["views_missing"])
    assert document["rejected"][0]["reason"] in text
    votes = [a for _, a in study_page.attributes if a.get("class") == "votes"]
    assert [v["aria-label"].split(";")[0] for v in votes] == [
        "9 of 10 sequences: moderate-severe",
        "10 of 10 sequences: mild",
        "7 of 10 sequences: moderate-severe",
    ]
    assert len(study_page.all("img")) == 6


def test_each_disclaimer_stands_once_before_the_answer(study_page):
    assert study_page.text.count(DISCLAIMER) == 1
    assert study_page.text.count("synthetic") == 1
    assert study_page.source.index(DISCLAIMER) < study_page.source.index("data-label")


def test_hostile_words_stay_words(tmp_path, kit):
    page = kit.Page(build_study_page(kit.write_study(tmp_path, evil=kit.HOSTILE)))
    assert "script" not in page.tags
    assert page.text.count(kit.HOSTILE) >= 5


def test_a_study_without_a_usable_clip_says_so(tmp_path, kit):
    page = kit.Page(build_study_page(kit.write_study(tmp_path, views=())))
    assert page.data("label") == []
    assert "No prediction" in page.text
    assert "colour Doppler only" in page.inside("rejected")


def test_a_clip_without_saliency_or_rate_is_shown_all_the_same(tmp_path, kit):
    out = kit.write_study(tmp_path)
    document = json.loads((out / "prediction.json").read_text())
    document["subjects"][0]["clips"][0] |= {"saliency": None, "fps": None}
    kit.dump(out / "prediction.json", document)
    page = kit.Page(build_study_page(out))
    assert len(page.all("img")) == 4


def test_votes_that_agree_without_conviction_are_called_unsure(study_page, tmp_path, kit):
    assert "unsure" not in study_page.text
    out = kit.write_study(tmp_path)
    document = json.loads((out / "prediction.json").read_text())
    shares = {"none": 0.33, "mild": 0.3, "moderate-severe": 0.37}
    document["subjects"][0] |= {"probabilities": shares, "confidence": 1.0}
    kit.dump(out / "prediction.json", document)
    text = kit.Page(build_study_page(out)).text
    assert re.search(r"1\.00 \(very consistent\)\. [^.]*unsure[^.]* 37 %", text)


def test_a_patient_who_is_not_judged_is_shown_without_a_label(tmp_path, kit):
    out = kit.write_study(tmp_path)
    document = json.loads((out / "prediction.json").read_text())
    vote = document["subjects"][0]["label"]
    told = {"label": "not judged", "vote": vote, "not_judged": "only 1 of 2 views"}
    document["subjects"][0] |= told
    kit.dump(out / "prediction.json", document)
    page = kit.Page(build_study_page(out))
    assert page.data("label") == ["not judged"]
    assert page.data("agrees") == ["true", "false", "true"]
    assert "Not judged: only 1 of 2 views." in page.text
    assert "Disagrees with the combined prediction" not in page.text
    assert "Agreement is not accuracy" not in page.text


def test_no_prediction_is_an_error(tmp_path):
    with pytest.raises(UsageError, match=r"prediction\.json is damaged: it is missing"):
        build_study_page(tmp_path)
    (tmp_path / "prediction.json").write_text("{}")
    with pytest.raises(UsageError, match="no list of subjects"):
        build_study_page(tmp_path)
