import json

import pytest

from echokit import UsageError
from echokit.report import build_study_page


def test_it_gives_the_verdict_the_votes_and_what_is_missing(study_page):
    text = study_page.text
    assert "2 of 3 clips (PLAX, A4C and PSAX-P) say so" in text
    assert "consistent (confidence 0.83)" in text
    assert "PSAX-S and PSAX-A" in text
    assert "Differs from the verdict" in text
    assert "colour Doppler only" in text
    assert "Research software, not a medical device" in text
    assert "trained on a synthetic cohort" in text
    assert "9 of 10 sequences: moderate-severe; 1: mild" in text
    votes = [a for _, a in study_page.attributes if a.get("class") == "votes"]
    assert [v["aria-label"].split(";")[0] for v in votes] == [
        "9 of 10 sequences: moderate-severe",
        "10 of 10 sequences: mild",
        "7 of 10 sequences: moderate-severe",
    ]
    assert len(study_page.all("img")) == 6


def test_hostile_words_stay_words(tmp_path, kit):
    page = kit.Page(build_study_page(kit.write_study(tmp_path, evil=kit.HOSTILE)))
    assert "script" not in page.tags
    assert page.text.count(kit.HOSTILE) >= 5


def test_a_study_without_a_usable_clip_says_so(tmp_path, kit):
    text = kit.Page(build_study_page(kit.write_study(tmp_path, views=()))).text
    assert "No patient could be assessed" in text
    assert "colour Doppler only" in text


def test_a_clip_without_saliency_or_rate_is_shown_all_the_same(tmp_path, kit):
    out = kit.write_study(tmp_path)
    document = json.loads((out / "prediction.json").read_text())
    document["subjects"][0]["clips"][0] |= {"saliency": None, "fps": None}
    kit.dump(out / "prediction.json", document)
    page = kit.Page(build_study_page(out))
    assert "No saliency was made for this clip" in page.text
    assert len(page.all("img")) == 4


def test_votes_that_agree_without_conviction_are_called_unsure(study_page, tmp_path, kit):
    assert "unsure" not in study_page.text
    out = kit.write_study(tmp_path)
    document = json.loads((out / "prediction.json").read_text())
    shares = {"none": 0.33, "mild": 0.3, "moderate-severe": 0.37}
    document["subjects"][0] |= {"probabilities": shares, "confidence": 1.0}
    kit.dump(out / "prediction.json", document)
    text = kit.Page(build_study_page(out)).text
    assert "very consistent (confidence 1.00). Yet the networks were unsure" in text
    assert "give this label 37 % only" in text


def test_no_prediction_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        build_study_page(tmp_path)
    (tmp_path / "prediction.json").write_text("{}")
    with pytest.raises(UsageError, match="no list of subjects"):
        build_study_page(tmp_path)
