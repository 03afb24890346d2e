"""The figures of a run for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from echokit.errors import UsageError
from echokit.report.results import Gap, read_results
from echokit.report.words import DISCLAIMER, SYNTHETIC, interval, mean_sd

COLUMNS = {
    "auroc": "AUROC",
    "f1": "F1-score",
    "precision": "Precision",
    "recall": "Recall",
    "balanced_accuracy": "Bal. acc.",
}
"""Metric -> its heading: the paper's Table 1, as wide as a terminal of 80 columns."""


def summary_table(run: Path) -> Table:
    """The metrics of a run, with intervals and n, the number of held-out patients, beside them.

    Raises:
        UsageError: the run has no figures yet; the message says why.
    """
    results = read_results(run)
    if not results.rows:
        gap = next((g for g in results.gaps if g.file == "metrics.json"), None)
        gap = gap or Gap("metrics.json", "holds no row")
        raise UsageError(
            f"The run {run} has no figures: {gap.file} {gap.reason}. "
            f"Finish it: echokit run --resume {run}"
        )
    said = [SYNTHETIC] if results.synthetic else []
    table = Table(
        title=f"{escape(results.name)}: held-out patients, mean ± sd over splits, 95 % interval",
        caption=". ".join([*said, DISCLAIMER]) + ".",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("Views", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("n", justify="right")
    previous = None
    for row in results.rows:
        group = (str(row["task"]), str(row["approach"]))
        if group != previous:
            table.add_section()
            table.add_row("[bold]" + escape("\n".join(group)) + "[/bold]")
        previous = group
        cells = [row.get(metric) for metric in COLUMNS]
        figures = [f"{mean_sd(c).replace(' ', '')}\n[dim]{interval(c)}[/dim]" for c in cells]
        table.add_row(escape(str(row["views"])), *figures, str(row.get("n_subjects", "–")))
    return table
