"""The pages in a real browser, with the network switched off."""

import os
from pathlib import Path

import pytest

from echokit.report import build_run_report, build_study_page

pytestmark = pytest.mark.slow

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """A function that opens a page, and what the browser said and asked for meanwhile."""
    pages = []

    def visit(path, **options):
        page = browser.new_page(offline=True, **options)
        pages.append(page)
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        return page, said, asked

    yield visit
    for page in pages:
        page.close()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("which", ["run", "study"])
def test_it_opens_offline_with_every_picture_and_nothing_fetched(visit, run, study, which, width):
    path = build_run_report(run) if which == "run" else build_study_page(study)
    page, said, asked = visit(path, viewport={"width": width, "height": 900})
    widths = page.eval_on_selector_all(
        "img", "i => Promise.all(i.map(x => x.decode().then(() => x.naturalWidth, () => 0)))"
    )
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert len(widths) == (30 if which == "run" else 6)
    assert min(widths) > 0
    sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert sideways <= 0, "the page must not scroll sideways"


def test_the_policy_of_the_page_stops_what_a_stranger_might_slip_in(visit, study, tmp_path):
    page = build_study_page(study).read_text("utf-8")
    slipped = '<img src="https://example.org/x.png"><script>document.title = "taken"</script>'
    (tmp_path / "page.html").write_text(page.replace("</main>", f"{slipped}</main>"))
    opened, said, _ = visit(tmp_path / "page.html")
    assert "Content Security Policy" in " ".join(said)
    assert opened.title() != "taken"


def shown(page, selector):
    return page.eval_on_selector_all(selector, "e => e.map(x => x.checkVisibility())")


@pytest.mark.parametrize("options", [{"reduced_motion": "reduce"}, {"media": "print"}])
def test_stills_take_the_place_of_movies_where_nothing_may_move(visit, study, options):
    page, _, _ = visit(build_study_page(study))
    assert shown(page, ".echo") == [True] * 3
    page.emulate_media(**options)
    assert shown(page, ".echo") == [False] * 3
    assert min(page.eval_on_selector_all(".still", "e => e.map(x => x.offsetHeight)")) > 50


def test_dark_and_light_differ_and_both_are_readable(visit, study):
    def contrast(scheme):
        page, _, _ = visit(build_study_page(study), color_scheme=scheme)
        ink, paper = page.evaluate(
            "() => {const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]}"
        )
        return luminance(ink), luminance(paper)

    light, dark = contrast("light"), contrast("dark")
    assert light[0] < light[1]
    assert dark[0] > dark[1]
    for pair in (light, dark):
        assert (max(pair) + 0.05) / (min(pair) + 0.05) > 7  # WCAG 2.2, enhanced


def luminance(colour):
    """Relative luminance of `rgb(r, g, b)`, by WCAG 2.2."""
    parts = [int(v) / 255 for v in colour.removeprefix("rgb(").rstrip(")").split(",")]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
