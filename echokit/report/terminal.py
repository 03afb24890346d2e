"""The figures of a run for the terminal."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from rich import box
from rich.markup import escape
from rich.table import Table

from echokit.evaluation.metric_names import ARGUED, HEADLINE, METRICS, NAMES
from echokit.report.paper.tables import require_figures
from echokit.report.results import Results, read_results
from echokit.report.sections.abstention import abstention_sentences
from echokit.report.sections.external import Beside, external_view
from echokit.report.sections.learning import unlearned_sentences
from echokit.report.words import DISCLAIMER, SYNTHETIC, interval, mean_sd, plural


def how_it_was_made(results: Results) -> list[str]:
    """How patients were held out, and every clip that a task left out, in a few words."""
    splits, dropped = results.run.get("splits") or {}, (results.run.get("cohort") or {})
    said = []
    if splits.get("method") == "k-fold":
        said.append(f"{splits['n']}-fold cross-validation by patient")
    elif splits.get("method") == "file":
        said.append(f"{plural(int(splits.get('n') or 0), 'split')} by a column of the manifest")
    elif splits:
        share = round(100 * float(splits.get("held_out") or 0))
        n = plural(int(splits.get("n") or 0), "repeated stratified split")
        said.append(f"{n} by patient, {share} % held out")
    for task, reasons in (dropped.get("dropped") or {}).items():
        counted = "; ".join(f"{n} × {reason}" for reason, n in reasons.items() if n)
        if counted:
            said.append(f"Left out of {task}: {counted}")
    return said


def left_out(run: Path) -> list[str]:
    """Count the files and clips of a run that were not used, by reason, most first."""
    try:
        with (run / "cohort.csv").open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("status") == "rejected"]
    except OSError:
        return []
    counts = Counter(str(row.get("reason")) for row in rows)
    return [f"Left out: {n} × {reason}" for reason, n in counts.most_common()]


def summary_table(run: Path) -> Table:
    """The metrics of a run, with intervals and n, the number of held-out patients, beside them.

    Raises:
        UsageError: the run has no figures yet; the message says why.
    """
    results = read_results(run)
    require_figures(results)
    said = [
        *how_it_was_made(results),
        *unlearned_sentences(results),
        *abstention_sentences(results),
        *([SYNTHETIC] if results.synthetic else []),
    ]
    table = Table(
        title=f"{escape(results.name)}: held-out patients, mean ± sd over splits, 95 % interval",
        caption=escape(". ".join([*said, DISCLAIMER]) + "."),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("Views", no_wrap=True)
    for metric in METRICS:
        table.add_column(NAMES[metric].short, justify="right", no_wrap=True)
    table.add_column("n", justify="right")
    previous = None
    for row in results.rows:
        group = (str(row["task"]), str(row["approach"]))
        if group != previous:
            table.add_section()
            table.add_row("[bold]" + escape("\n".join(group)) + "[/bold]")
        previous = group
        cells = [row.get(metric) for metric in METRICS]
        figures = [f"{mean_sd(c).replace(' ', '')}\n[dim]{interval(c)}[/dim]" for c in cells]
        table.add_row(escape(str(row["views"])), *figures, str(row.get("n_subjects", "–")))
    return table


def external_table(run: Path) -> Table | None:
    """The figures on the external test cohort beside cross-validation; None without one."""
    external = external_view(read_results(run))
    if external is None:
        return None
    table = Table(
        title=f"External test cohort: {escape(external.cohort)}; cross-validation → external",
        caption=escape("\n".join([*external.sentences, *external.notes])),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("Views", no_wrap=True)
    for metric in ARGUED:
        table.add_column(NAMES[metric].short, justify="right", no_wrap=True)
    table.add_column("n", justify="right")
    for name, lines in external.groups:
        table.add_section()
        table.add_row("[bold]" + escape(name.replace(", ", "\n")) + "[/bold]")
        for line in lines:
            cells = [_change(line.cells[HEADLINE.index(metric)]) for metric in ARGUED]
            table.add_row(escape(line.views), *cells, str(line.outside))
    return table


def _change(cell: Beside) -> str:
    difference = f"{cell.difference} ({cell.difference_interval})"
    coloured = f"[yellow]{difference}[/yellow]" if cell.lower else f"[dim]{difference}[/dim]"
    return f"{cell.inside} → {cell.outside}\n{coloured}"
