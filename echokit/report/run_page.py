"""The page of a run, from its result files alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from echokit.errors import UsageError
from echokit.evaluation.metric_names import NAMES, REPORTED
from echokit.report.charts.sheets import write_sheets
from echokit.report.documents import Json
from echokit.report.page import write_page
from echokit.report.paper.beside import beside_published
from echokit.report.paper.figures import paper_figures
from echokit.report.paper.tables import CONFIDENCE, PaperTable, paper_table
from echokit.report.pictures.embed import MEGABYTE, Album, Picture
from echokit.report.results import Results, read_results
from echokit.report.sections.abstention import abstention_view
from echokit.report.sections.calibration import calibration_view
from echokit.report.sections.checks import Checks, checks, frame_orders, left_out, network_verdicts
from echokit.report.sections.cohort import cohort_view
from echokit.report.sections.external import external_view
from echokit.report.sections.figures import Task, task_figures
from echokit.report.sections.fusion import fusion_view
from echokit.report.sections.labels import label_view
from echokit.report.sections.learning import unlearned_sentences
from echokit.report.words import findings
from echokit.system.paths import is_below

BUDGET = 6 * MEGABYTE
"""Characters of a page that may be pictures."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One explained sequence in the gallery."""

    view: str
    facts: Json
    """Its entry of saliency/index.json."""
    right: bool
    movie: Picture | None
    strip: Picture | None
    file: str
    """Where the movie is, within the run."""
    sentences: tuple[str, ...]
    checks: Checks | None


def build_run_report(run: Path) -> Path:
    """Write the page of a run, one file that opens offline and fetches nothing.

    Files that are absent or broken are named on the page; it is written all the same.

    Args:
        run: folder of the run.

    Returns:
        `run/report/index.html`.

    Raises:
        UsageError: there is no such folder.
    """
    if not run.is_dir():
        raise UsageError(f"There is no run at {run}. Give the folder that `echokit run` wrote.")
    results = read_results(run)
    tasks = [task_figures(results, task) for task in results.tasks]
    published, unread = beside_published(results)
    album = Album(results.root, BUDGET)
    return write_page(
        run / "report" / "index.html",
        "run.html.j2",
        name=results.name,
        title=str(results.recipe.get("title") or results.run.get("recipe") or results.name),
        results=results,
        when=_when(results.run),
        tasks=tasks,
        unlearned=list(unlearned_sentences(results)),
        published=published,
        external=external_view(results),
        labels={task.name: label_view(results.rows, task.name) for task in tasks},
        confidence=_confidence(results),
        fusion=fusion_view(results),
        calibration=calibration_view(results),
        abstention=abstention_view(results),
        headings=[NAMES[metric].heading for metric in REPORTED],
        paper_figures=paper_figures(results, album),
        sheets={task.name: _sheets(results, task) for task in tasks},
        gallery=_gallery(results, album),
        orders=frame_orders(results.networks),
        network_verdicts=network_verdicts(results.networks),
        unexplained=left_out(results.networks),
        cohort=cohort_view(results),
        stages=[one for one in results.run.get("stages") or () if isinstance(one, dict)],
        command=f"echokit run {_folder(run)}/recipe.toml",
        resume=f"echokit run --resume {_folder(run)}",
        gaps=(*results.gaps, *unread),
    )


def _sheets(results: Results, task: Task) -> tuple[str, ...]:
    """Write the charts of a task as files of their own; return their paths within the run."""
    return tuple(
        file
        for approach in task.approaches
        for file in write_sheets(
            results.root, (task.name, approach.name), approach.groups, results.synthetic
        )
    )


def _confidence(results: Results) -> PaperTable | None:
    """Confidence of right and of wrong predictions; None where no figure of it was made."""
    made = any(row.get("confidence_correct") for row in results.rows)
    return paper_table(results, CONFIDENCE) if made else None


def _folder(run: Path) -> str:
    """The run as typed in a shell, without what lies above its parent folder."""
    here = run.resolve()
    return f"{here.parent.name}/{here.name}"


def _when(run: Json) -> str:
    def spoken(moment: object) -> str:
        try:
            return f"{datetime.fromisoformat(str(moment)):%d %B %Y, %H:%M}"
        except ValueError:
            return str(moment)

    if run.get("finished"):
        return f"finished {spoken(run['finished'])}"
    if run.get("started"):
        return f"started {spoken(run['started'])}, not finished"
    return ""


def _gallery(results: Results, album: Album) -> dict[str, list[Shown]]:
    """What was explained, by task and approach; movies first, stills as long as there is room."""
    movies = [album.movie(_file(results.root, m.get("movie"))) for m in results.maps]
    gallery: dict[str, list[Shown]] = {}
    for facts, movie in zip(results.maps, movies, strict=True):
        shown = Shown(
            view=str(facts["view"]),
            facts=facts,
            right=facts.get("label") == facts.get("predicted"),
            movie=movie,
            strip=album.still(_file(results.root, facts.get("strip"))),
            file=str(facts.get("movie") or ""),
            sentences=tuple(findings(facts.get("scores"))),
            checks=checks(facts.get("scores")),
        )
        gallery.setdefault(f"{facts['task']}, {facts['approach']}", []).append(shown)
    return gallery


def _file(root: Path, name: object) -> Path:
    """A file named in saliency/index.json, relative to the run or to that file."""
    path = root / str(name or "nothing")
    path = path if path.exists() else root / "saliency" / str(name or "nothing")
    return path if is_below(root, path) else root / "nothing"
