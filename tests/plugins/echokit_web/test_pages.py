"""The pages, in a browser, as a person follows them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from web_page import served

from echokit_web.start import watch_site

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parent / "axe" / "axe.min.js"
PAGES = {
    "enter": "/enter?token=x",
    "worklist": "/",
    "study": "/studies/demo",
    "compare": "/compare",
    "docs": "/docs",
}
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"{CHROMIUM} is not installed: apt-get install chromium")
        pytest.skip(f"{CHROMIUM} is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as opened:
        made = opened.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def tab(browser, page) -> Iterator[Any]:
    """A tab of a user who was let in; what it asks for and what goes wrong is noted."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.asked, tab.wrong = [], []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.on("console", lambda told: tab.wrong.append(told.text) if told.type == "error" else None)
    tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
    tab.goto(f"{page.base}/enter?token={page.site.sessions.once}")
    tab.get_by_label("Name").fill("Anna")
    tab.get_by_role("button", name="Open the page").click()
    tab.wait_for_url(f"{page.base}/")
    yield tab
    context.close()


@pytest.fixture
def study(tab, page) -> Any:
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(f"{page.base}/studies/demo")
    tab.locator("canvas").wait_for()
    return tab


def frame(tab: Any) -> int:
    return int(tab.get_by_label("Frame", exact=True).input_value())


def picture(tab: Any) -> np.ndarray:
    """The pixels of the canvas."""
    tab.wait_for_timeout(150)
    pixels = tab.evaluate(
        """() => { const c = document.querySelector('canvas');
        return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; }"""
    )
    return np.array(pixels).reshape(-1, 4)[:, :3]


def test_the_worklist_shows_the_demo_study_and_leads_to_it(tab, page):
    tab.goto(page.base)
    row = tab.locator('[data-study="demo"]')
    row.get_by_role("link", name="Demo study (synthetic)").click()
    tab.wait_for_url("**/studies/demo")
    tab.get_by_role("heading", name="Demo study").wait_for()
    assert "simulated clips" in tab.locator(".banner.warn").inner_text()


def test_the_result_stands_there_with_probabilities_agreement_and_views(study):
    text = study.locator("#result").inner_text()
    for words in ("calibrated probability", "Agreement is not accuracy", "Views used", "(3 of 3)"):
        assert words in text
    assert study.locator("#result .bar").count() == 3
    study.get_by_text("How often these networks were right").click()
    assert "240 held-out" in study.locator("#result table").inner_text()


def test_a_clip_plays_pauses_and_steps_by_mouse_and_by_keyboard(study):
    if study.get_by_role("button", name="Pause").count():
        study.get_by_role("button", name="Pause").click()
    study.get_by_role("heading", level=1).click()
    study.keyboard.press("Home")
    assert frame(study) == 0
    first = picture(study)
    study.get_by_role("button", name="One frame on").click()
    study.keyboard.press("ArrowRight")
    assert frame(study) == 2
    assert not np.array_equal(first, picture(study))
    study.keyboard.press("ArrowLeft")
    assert frame(study) == 1
    study.keyboard.press("End")
    last = frame(study)
    assert last == int(study.get_by_label("Frame", exact=True).get_attribute("max"))
    study.locator("canvas").focus()
    study.keyboard.press("Space")
    study.wait_for_timeout(400)
    assert study.get_by_role("button", name="Pause").count() == 1
    study.keyboard.press("k")
    assert study.get_by_role("button", name="Play").count() == 1


def test_votes_and_marks_jump_to_their_frames(study):
    vote = study.locator(".vote").nth(3)
    vote.click()
    assert frame(study) == int(vote.get_attribute("data-start"))
    assert "Sequence at frame" in vote.get_attribute("aria-label")
    mark = study.locator(".mark.es").first
    mark.click()
    assert str(frame(study)) in mark.get_attribute("aria-label")


def test_saliency_is_shown_and_hidden_and_the_picture_is_zoomed(study):
    start = study.evaluate(
        "async () => (await (await fetch('/api/studies/demo')).json()).clips[0].saliency.start"
    )
    study.keyboard.press("1")
    slider = study.get_by_label("Frame", exact=True)
    slider.evaluate(f"e => {{ e.value = {start}; e.dispatchEvent(new Event('input')) }}")

    def colours() -> int:
        return int(np.ptp(picture(study), axis=1).max())

    assert colours() > 40
    study.get_by_label("Saliency", exact=True).uncheck()
    plain = picture(study)
    assert np.ptp(plain, axis=1).max() < 25
    study.keyboard.press("s")
    study.get_by_label("Opacity of the saliency").fill("0")
    assert np.ptp(picture(study), axis=1).max() < 25
    study.get_by_label("Zoom").fill("3")
    assert not np.array_equal(plain, picture(study))


def test_files_are_chosen_a_view_corrected_and_a_reading_kept(tab, page, tmp_path):
    tab.goto(page.base)
    source = sorted((page.site.folder.source("demo") / "demo").iterdir())[0]
    (clip := tmp_path / "Doe_PLAX.npz").write_bytes(source.read_bytes())
    with tab.expect_response("**/api/studies") as sent:
        tab.set_input_files("#files", str(clip))
    study = sent.value.json()["study"]
    tab.locator(f'[data-study="{study}"]').wait_for()
    page.wait(study)
    tab.goto(f"{page.base}/studies/{study}")
    row = tab.locator('[data-file="0001"]')
    assert "Doe_PLAX.npz" in row.inner_text()  # kept by this tab, and sent to nobody
    assert "Doe" not in page.ask(f"/api/studies/{study}").body.decode()
    row.get_by_label("View of file 0001").select_option("A4C")
    tab.get_by_label("Judge also clips").check()
    tab.get_by_role("button", name="Judge again").click()
    row.get_by_text("corrected by Anna").wait_for()
    told = page.wait(study)
    assert told["corrections"][0]["view"] == "A4C"
    tab.get_by_label("moderate-severe", exact=True).check()
    tab.get_by_role("button", name="Keep my reading").click()
    tab.locator("#reading li").get_by_text("by Anna").wait_for()
    assert page.ask(f"/api/studies/{study}").json["readings"][0]["user"] == "Anna"


def test_a_reading_that_is_chosen_stays_so_while_the_study_is_judged_again(tab, page):
    tab.goto(f"{page.base}/studies/demo")
    tab.get_by_label("Judge also clips").click()
    with tab.expect_response("**/api/studies/demo"):
        tab.get_by_role("button", name="Judge again").click()
    choice = tab.get_by_label("mild", exact=True)
    choice.check()
    page.wait("demo")
    tab.locator("#result").get_by_text("calibrated probability").wait_for()  # drawn anew
    tab.wait_for_timeout(500)
    assert choice.is_checked()
    tab.get_by_label("Judge also clips").click()  # as other tests expect it
    with tab.expect_response("**/api/studies/demo"):
        tab.get_by_role("button", name="Judge again").click()
    page.wait("demo")


def faults(tab: Any) -> list[tuple[str, list[str]]]:
    """Serious faults of accessibility that axe finds."""
    tab.evaluate(AXE.read_text("utf-8"))  # evaluated by the browser's tools, past the page's policy
    found = tab.evaluate("axe.run().then(one => JSON.stringify(one.violations))")
    serious = [one for one in json.loads(found) if one["impact"] in SERIOUS]
    return [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in serious]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_has_a_serious_fault_of_accessibility(tab, page, name, scheme):
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(page.base + PAGES[name])
    tab.wait_for_timeout(400)
    assert faults(tab) == []


@pytest.mark.parametrize("width", [360, 768, 1920])
@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_the_screen(tab, page, name, width):
    tab.set_viewport_size({"width": width, "height": 800})
    tab.goto(page.base + PAGES[name])
    tab.wait_for_timeout(250)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_run_is_followed_while_it_trains(browser, page, tmp_path):
    place = tmp_path / "models/severity/spatio-temporal/A4C"
    place.mkdir(parents=True)
    recipe = page.site.model.folder / "recipe.toml"
    (tmp_path / "recipe.toml").write_bytes(recipe.read_bytes())
    (tmp_path / "run.json").write_text('{"name": "mine", "stages": [], "finished": null}')
    row = {"epoch": 1, "loss": 0.9, "accuracy": 0.5, "seconds": 60.0}
    file = place / "split-00.epochs.jsonl"
    file.write_text(json.dumps(row) + "\n")
    site = watch_site(tmp_path)
    with served(site) as running:
        tab = browser.new_context(viewport={"width": 360, "height": 800}).new_page()
        tab.goto(f"{running.base}/enter?token={site.sessions.once}")
        tab.get_by_label("Name").fill("Anna")
        tab.get_by_role("button", name="Open the page").click()
        tab.wait_for_url("**/watch")
        tab.get_by_text("Epoch 1 of 24").wait_for()
        assert "about" in tab.locator("#summary").inner_text()
        file.write_text(f"{json.dumps(row)}\n{json.dumps(row | {'epoch': 2, 'loss': 0.7})}\n")
        tab.get_by_text("Epoch 2 of 24").wait_for()  # the page follows by itself
        assert faults(tab) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        tab.context.close()


def test_nothing_was_asked_of_anybody_else_and_nothing_went_wrong(tab, page):
    assert {url for url in tab.asked if not url.startswith((page.base, "blob:", "data:"))} == set()
    assert tab.asked
    assert tab.wrong == []
