"""Write the page of an evaluation, and its table for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from echokit.errors import UsageError
from echokit.evaluation.metric_names import METRICS, NAMES
from echokit.report.documents import Json
from echokit.report.page import write_page
from echokit.report.sections.labels import label_view
from echokit.report.words import DISCLAIMER, SYNTHETIC, interval, mean_sd, plural
from echokit.system.checked import read_json

COLUMNS = (*METRICS, "kappa", "confidence")


def build_evaluation_page(out: Path) -> Path:
    """Write the page of an evaluation, one file that opens offline and fetches nothing.

    Args:
        out: folder that holds `evaluation.json`.

    Returns:
        `out/index.html`.

    Raises:
        UsageError: there is no `evaluation.json`, or it is not one.
    """
    path = out / "evaluation.json"
    try:
        document = read_json(path)
        rows = [dict(row) for row in document["rows"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(
            f"{path} cannot be read ({error}). Give the folder that `echokit evaluate` wrote."
        ) from error
    lines = [
        (str(row["views"]), [(mean_sd(row.get(m)), interval(row.get(m))) for m in COLUMNS],
         row.get("n_subjects"), row.get("n_predictions"))
        for row in rows
    ]  # fmt: skip
    return write_page(
        out / "index.html",
        "evaluation.html.j2",
        evaluation=document,
        synthetic=_synthetic(document),
        patients=_patients(document),
        headings=[NAMES[metric].heading for metric in COLUMNS],
        lines=lines,
        labels=label_view(rows, str(document["task"])),
    )


def evaluation_table(document: Json) -> Table:
    """The metrics of an evaluation, with intervals and n, the number of patients, beside them."""
    said = [*document["notes"], *filter(None, [_synthetic(document)]), DISCLAIMER]
    table = Table(
        title=escape(f"{document['run']}, {document['task']}: {_patients(document)}"),
        caption=escape(". ".join(sentence.rstrip(".") for sentence in said) + "."),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("Views", no_wrap=True)
    shown = (*METRICS, "kappa")
    for metric in shown:
        table.add_column(NAMES[metric].short, justify="right", no_wrap=True)
    table.add_column("n", justify="right")
    for row in document["rows"]:
        cells = [
            f"{mean_sd(row.get(m)).replace(' ', '')}\n[dim]{interval(row.get(m))}[/dim]"
            for m in shown
        ]
        table.add_row(escape(str(row["views"])), *cells, str(row["n_subjects"]))
    return table


def _patients(document: Json) -> str:
    """`6 patients: 3 none, 3 severe`."""
    counts = document["labels"]
    named = ", ".join(f"{counts[name]} {name}" for name in document["classes"] if name in counts)
    return f"{plural(sum(counts.values()), 'patient')}: {named}"


def _synthetic(document: Json) -> str:
    """State what is synthetic: the patients here, or those of whom the networks learned."""
    if document.get("synthetic"):
        return SYNTHETIC
    if document.get("synthetic_training"):
        return "Networks trained on a synthetic cohort: software test only, no clinical validity"
    return ""
