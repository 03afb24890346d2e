"""A run that is followed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from web_page import served

from echokit import UsageError
from echokit_web.start import watch_site
from echokit_web.watching import look_at


def test_a_finished_run_is_shown_with_its_networks_and_its_report(small_run):
    told = look_at(small_run)
    assert told["finished"]
    assert told["report"]
    assert told["seconds_left"] is None
    assert len(told["networks"]) == told["planned"] > 0
    assert all(one["done"] and len(one["epochs"]) == told["epochs"] for one in told["networks"])


def test_a_run_that_trains_says_what_is_left(tmp_path, small_run):
    run = tmp_path / "run"
    place = run / "models/severity/spatio-temporal/A4C"
    place.mkdir(parents=True)
    (run / "recipe.toml").write_bytes((small_run / "recipe.toml").read_bytes())
    (run / "run.json").write_text('{"name": "x", "stages": [], "finished": null}')
    rows = [{"epoch": 1, "loss": 1.1, "accuracy": 0.4, "lr": 0.1, "seconds": 3.0}]
    (place / "split-00.epochs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    told = look_at(run)
    assert told["networks"][0]["epochs"][0]["loss"] == 1.1
    assert not told["networks"][0]["done"]
    assert told["seconds_left"] == pytest.approx((told["planned"] * told["epochs"] - 1) * 3.0)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"stages": 3}', '{"stages": [1, {}]}'])
def test_what_is_half_written_is_left_out(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    (tmp_path / "recipe.toml").write_text(text)
    below = tmp_path / "models/a"
    below.mkdir(parents=True)
    (below / "split-00.json").write_text(text)
    (below / "split-01.epochs.jsonl").write_text('{"epoch": 1}\n{"epo')
    if text != '{"stages": 3}':
        assert look_at(tmp_path)["networks"]


def test_the_page_of_a_run_shows_it_and_judges_nothing(small_run):
    site = watch_site(small_run)
    with served(site) as page:
        assert page.ask("/").headers["location"] == "/watch"
        assert page.ask("/api/run").json["networks"]
        report = page.ask("/api/run/report")
        assert report.status == 200
        assert "sandbox" in report.headers["content-security-policy"]
        assert page.send({"a.mp4": b"x"}).status == 409


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"holds no recipe\.toml"):
        watch_site(Path(tmp_path))
