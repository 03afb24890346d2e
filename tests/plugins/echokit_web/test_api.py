"""The REST interface, from a dropped study to its manifest."""

from __future__ import annotations

import csv
import io
import re
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import echokit


@pytest.fixture(scope="module")
def clips() -> dict[str, bytes]:
    """A4C and PSAX-P of one synthetic patient, the second without its view in its name."""
    loader = echokit.resolve(
        "loader",
        "phantom",
        source="",
        patients=4,
        size=64,
        frames=30,
        seed=8,
        views=["A4C", "PLAX"],
    )
    made = {}
    for ref in list(loader.index())[:2]:
        clip, file = loader.read(ref), io.BytesIO()
        np.savez_compressed(file, frames=clip.frames, fps=np.float64(clip.fps or 25))
        made["Doe_A4C.npz" if ref.view == "A4C" else "Doe_second.npz"] = file.getvalue()
    return made


@pytest.fixture(scope="module")
def study(page, clips) -> str:
    study: str = page.send(clips, user="anna").json["study"]
    page.wait(study)
    return study


def test_the_first_start_shows_a_finished_study_that_is_called_synthetic(page):
    row = next(row for row in page.ask("/api/studies").json if row["study"] == "demo")
    assert (row["state"], row["synthetic"], row["clips"]) == ("done", True, 3)
    told = page.ask("/api/studies/demo").json
    assert told["result"]["synthetic_training"]
    assert [clip["number"] for clip in told["clips"]] == ["0001", "0002", "0003"]
    assert all(clip["saliency"]["length"] == 12 for clip in told["clips"])


def test_a_study_that_is_dropped_is_judged_and_every_file_is_named(page, study):
    told = page.ask(f"/api/studies/{study}").json
    assert told["state"] in ("done", "aside")
    named = set(told["numbers"].values())
    assert named == {"0001", "0002"}
    assert page.site.folder.listing(study)[0] in ("0001-A4C.npz", "0001.npz")
    assert "Doe" not in str(told)


def test_pictures_are_sheets_of_frames_and_nothing_else_is_handed_out(page):
    base = "/api/studies/demo/clips/0001"
    one = page.ask("/api/studies/demo").json["clips"][0]
    answer = page.ask(f"{base}/frames-00.webp")
    assert Image.open(io.BytesIO(answer.body)).size == (one["width"] * 4, one["height"] * 4)
    over = Image.open(io.BytesIO(page.ask(f"{base}/saliency-00.webp").body)).convert("RGB")
    assert np.ptp(np.asarray(over).astype(int), axis=2).max() > 60  # in colour
    for name in ("../../../queue.sqlite", "..%2f..%2fclips.json", "frames-99.webp", "x.webp"):
        assert page.ask(f"{base}/{name}").status == 404
    assert page.ask("/api/studies/..%2f..%2ftoken").status == 404
    assert page.ask("/static/..%2fapp.py").status == 404


def test_a_view_is_corrected_and_the_study_is_judged_again_in_seconds(page, clips):
    study = page.send(clips, user="ben").json["study"]
    page.wait(study)
    said = [{"file": number, "view": "PSAX-P", "anyway": True} for number in ("0001", "0002")]
    began = time.monotonic()
    assert page.ask(f"/api/studies/{study}/corrections", said, user="ben").status == 202
    told = page.wait(study)
    assert time.monotonic() - began < 60
    used = [clip for one in told["result"]["subjects"] for clip in one["clips"]]
    assert {clip["view"] for clip in used} == {"PSAX-P"}
    assert {(one["file"], one["user"]) for one in told["corrections"]} == {
        ("0001", "ben"),
        ("0002", "ben"),
    }
    excluded = [{"file": "0002", "excluded": True, "anyway": True}]
    assert page.ask(f"/api/studies/{study}/corrections", excluded).status == 202
    told = page.wait(study)
    assert told["excluded"] == ["0002"]
    assert sum(len(one["clips"]) for one in told["result"]["subjects"]) == 1


@pytest.mark.parametrize(
    "said",
    [
        [{"file": "0001", "view": "SUBCOSTAL"}],
        [{"file": "0099", "view": "A4C"}],
        [{"file": "../x", "view": "A4C"}],
        [{"file": "0001", "vew": "A4C"}],
        {"file": "0001"},
        [{"file": "0001", "view": ["A4C"]}],
    ],
)
def test_a_correction_that_means_nothing_is_refused_and_changes_nothing(page, said):
    before = page.ask("/api/studies/demo").json["corrections"]
    assert page.ask("/api/studies/demo/corrections", said).status == 422
    assert page.ask("/api/studies/demo").json["corrections"] == before


def test_a_reading_is_blind_until_the_result_was_seen(page):
    path = "/api/studies/demo/readings"
    assert page.ask(path, {"label": "mild"}, user="new").json["blind"] is True
    page.ask("/api/studies/demo", user="new")
    assert page.ask(path, {"label": "none"}, user="new").json["blind"] is False
    assert page.ask(path, {"label": "perhaps"}, user="new").status == 422
    mine = [r for r in page.ask("/api/studies/demo").json["readings"] if r["user"] == "new"]
    assert [(one["label"], one["blind"]) for one in mine] == [("mild", True), ("none", False)]


def test_in_reader_mode_the_result_is_withheld_until_the_user_has_read(page, monkeypatch):
    monkeypatch.setattr(page.site, "reader", True)
    told = page.ask("/api/studies/demo", user="reader").json
    assert (told["withheld"], told["result"], told["labels"]) == (True, None, [])
    for place in ("download/json", "clips/0001/saliency-00.webp", "download/page"):
        assert page.ask(f"/api/studies/demo/{place}", user="reader").status == 403
    assert page.ask("/api/studies/demo/clips/0001/frames-00.webp", user="reader").status == 200
    rows = page.ask("/api/studies", user="reader").json
    assert all(row["labels"] == [] for row in rows)
    label = page.ask("/api/studies/demo/readings", {"label": "mild"}, user="reader")
    assert label.json["blind"] is True
    assert page.ask("/api/studies/demo", user="reader").json["result"]


def test_what_was_corrected_and_read_is_a_manifest_that_a_run_takes(page, tmp_path):
    page.ask("/api/studies/demo/readings", {"label": "mild"}, user="anna")
    text = page.ask("/api/corrections.csv").body.decode()
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["synthetic"] == "1"]
    assert len(rows) == 3
    assert len({row["patient"] for row in rows}) == 1
    assert {row["read_by"] for row in rows} == {"anna"}
    assert all(Path(row["file"]).is_file() for row in rows)
    (tmp_path / "manifest.csv").write_text(text)
    report = echokit.check(tmp_path / "manifest.csv", recipe="ph-newborn")
    used = report.to_frame().query("status == 'used'")
    assert len(used) >= 3


def test_studies_are_searched_and_sorted(page, study):
    every = page.ask("/api/studies").json
    assert [one["received"] for one in every] == sorted(
        (one["received"] for one in every), reverse=True
    )
    assert page.ask("/api/studies?search=demo").json[0]["study"] == "demo"
    assert page.ask("/api/studies?search=nobody-of-that-name").json == []
    up = page.ask("/api/studies?sort=received&descending=false").json
    assert [one["study"] for one in up] == [one["study"] for one in reversed(every)]
    for key in ("state", "label", "patient", "finished"):
        assert len(page.ask(f"/api/studies?sort={key}").json) == len(every)
    assert page.ask("/api/studies?sort=drop").status == 422


def test_a_study_is_deleted_with_all_that_was_kept_of_it(page, clips):
    study = page.send(clips).json["study"]
    page.wait(study)
    assert page.ask(f"/api/studies/{study}", method="DELETE").status == 204
    assert page.ask(f"/api/studies/{study}").status == 404
    assert not list(page.site.folder.path.glob(f"*/{study}"))
    assert page.site.queue.events(study)[-1].event == "deleted"


def test_results_are_taken_away(page):
    answer = page.ask("/api/studies/demo/download/json")
    assert answer.json["subjects"]
    assert 'filename="demo.json"' in answer.headers["content-disposition"]
    whole = page.ask("/api/studies/demo/download/page")
    assert "sandbox" in whole.headers["content-security-policy"]
    refused = page.ask("/api/studies/demo/download/dicom-sr")
    assert refused.status == 422
    assert "DICOM" in refused.detail
    assert page.ask("/api/studies/demo/download/exe").status == 422
    assert page.ask("/api/studies/demo/send", {}, method="POST").status == 409


def test_events_tell_states_and_progress(page):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
    told = {"Authorization": f"Bearer {page.site.folder.token()}"}
    connection.request("GET", "/api/events", headers=told)
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert re.match(rb'data: \{"counts": \{.*"done": [1-9]', answer.readline())
    connection.close()


def test_the_description_names_every_address(page):
    paths = page.ask("/api/openapi.json").json["paths"]
    assert {"/api/studies", "/api/studies/{study}", "/api/events"} <= set(paths)
    assert all(one.get("description") for methods in paths.values() for one in methods.values())
    assert "/api/studies/{study}/corrections" in page.ask("/docs").body.decode()
