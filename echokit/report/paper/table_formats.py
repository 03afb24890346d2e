"""A paper's table for the terminal, as CSV, as LaTeX and as HTML."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from echokit.report.page import render
from echokit.report.paper.findings import findings_json, run_findings
from echokit.report.paper.publication import Figures
from echokit.report.paper.tables import Line, PaperTable, paper_table, require_figures, run_tables
from echokit.report.results import read_results
from echokit.system import sheets
from echokit.system.files import write_json, write_text

NONE = "–"
Row = tuple[list[str], list[str]]
"""The cells of a row, and how pandas is to style each."""


def print_table(console: Console, table: PaperTable) -> None:
    """Print a table; a terminal that is too narrow for it wraps lines, and no figure is cut."""
    least = sum(_widths(table)) + len(_widths(table)) - 1
    if console.width < least:
        console = type(console)(file=console.file, width=least, highlight=False)
    console.print(terminal_table(table))


def terminal_table(table: PaperTable) -> Group:
    """The table for the terminal: ours, and dim below it what is published; 80 columns suffice."""
    parts: list[RenderableType] = [Text(_title(table), style="bold"), _grid(table, (), True)]
    for block in table.blocks:
        for approach, lines in block.approaches:
            parts.append(Text(f"{block.letter} {block.task}, {approach}", style="italic"))
            parts.append(_grid(table, lines))
    parts.extend(Text(f"{note}.", style="dim") for note in table.notes)
    return Group(*parts)


def _title(table: PaperTable) -> str:
    return f"{table.label}: {table.title}" if table.label else table.title


def _widths(table: PaperTable) -> list[int]:
    """Characters of each column, as wide in all parts of a table."""
    views = max(5, *(len(line.views) for line in table.lines))
    metrics = [max(9, *map(len, heading.split())) for heading in table.headings]
    return [min(views, 16), *[5] * table.compared, *metrics, 4]


def _grid(table: PaperTable, lines: Sequence[Line], header: bool = False) -> Table:
    """Some rows of a table, or its header."""
    headings = [heading.replace(" ", "\n") for heading in table.headings]
    names = ["Views", *[""] * table.compared, *headings, "n"]
    left = 1 + table.compared
    grid = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False, show_header=header)
    for i, (name, width) in enumerate(zip(names, _widths(table), strict=True)):
        justify: JustifyMethod = "left" if i < left else "right"
        grid.add_column(name, width=width, justify=justify, overflow="fold")
    for line in lines:
        grid.add_row(*_terminal_row(table, line))
    return grid


def _terminal_row(table: PaperTable, line: Line) -> Iterator[str]:
    def shown(figures: Figures, metric: str) -> str:
        figure = figures.get(metric)
        text = str(figure or NONE)
        return f"[bold]{text}[/bold]" if figure and figure.best else text

    yield escape(line.views)
    if table.compared:
        yield "ours\n[dim]paper[/dim]"
    for metric in table.metrics:
        below = f"\n[dim]{shown(line.published, metric)}[/dim]" if table.compared else ""
        if table.intervals and metric in line.ours:
            below = f"\n[dim]{line.ours[metric].interval}[/dim]"
        yield shown(line.ours, metric) + below
    yield str(line.n_subjects or NONE)


def csv_text(table: PaperTable) -> str:
    """The table in long form: one row for each metric of each row, figures at full precision."""
    frame = pd.DataFrame([_record(table, x, m) for x in table.lines for m in table.metrics])
    counts = {"n_subjects": "Int64", "n_splits": "Int64"}
    return sheets.csv_text(frame.astype(counts))


def _record(table: PaperTable, line: Line, metric: str) -> dict[str, object]:
    ours, printed = line.ours.get(metric), line.published.get(metric)
    low, high = (ours.ci95 if ours else None) or (None, None)
    return {
        "task": line.task,
        "approach": line.approach,
        "views": line.views,
        "metric": metric,
        "mean": ours.mean if ours else None,
        "sd": ours.sd if ours else None,
        "ci95_low": low,
        "ci95_high": high,
        "n_subjects": line.n_subjects,
        "n_splits": line.n_splits,
        "published_mean": printed.mean if printed else None,
        "published_sd": printed.sd if printed else None,
        "best": bool(ours and ours.best),
        "synthetic": table.synthetic,
    }


_LATEX = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        "–": "--",
        "—": "---",
        "\n": " ",
    }
)


def latex_text(table: PaperTable) -> str:
    """The table as a `table` environment; it needs `booktabs` and nothing else."""
    says = " ".join(f"{sentence.rstrip('.')}." for sentence in (table.title, *table.notes))
    names = ["Task", "Approach", "Views", *[""] * table.compared, *table.headings, "n"]
    rows = list(_latex_rows(table))
    frame = pd.DataFrame([cells for cells, _ in rows], columns=names)
    styles = pd.DataFrame([styles for _, styles in rows], columns=names)
    shown = frame.style.hide(axis="index").format(_latex).format_index(_latex, axis="columns")
    text = shown.apply(lambda _: styles, axis=None).to_latex(
        column_format=f"lll{'l' * table.compared}{'c' * len(table.metrics)}r",
        position_float="centering",
        hrules=True,
        caption=_latex(says),
        label=f"tab:{table.stem}",
    )
    for block in table.blocks[1:]:
        text = text.replace(f"\n{block.letter} ", f"\n\\midrule\n{block.letter} ")
    return f"% \\usepackage{{booktabs}}\n{text}"


def _latex(text: object) -> str:
    return str(text).translate(_LATEX)


def _latex_rows(table: PaperTable) -> Iterator[Row]:
    """The cells of each row, and the LaTeX commands of each; a task's name stands once."""

    def row(names: list[str], figures: Figures, texts: list[str], n: str, command: str) -> Row:
        best = [metric in figures and figures[metric].best for metric in table.metrics]
        cells = [*names, *texts, n]
        bold = ["textbf:--rwrap;" * flag for flag in (*[False] * len(names), *best, False)]
        return cells, [command * bool(cell) + b for cell, b in zip(cells, bold, strict=True)]

    def texts(figures: Figures) -> list[str]:
        return [str(figures.get(metric, NONE)) for metric in table.metrics]

    ours, paper = (["ours"], ["paper"]) if table.compared else ([], [])
    for block in table.blocks:
        task = f"{block.letter} {block.task}"
        for approach, lines in block.approaches:
            for line in lines:
                names, n = [task, approach, line.views, *ours], str(line.n_subjects or NONE)
                yield row(names, line.ours, texts(line.ours), n, "")
                empty = ["", "", "", *paper]
                if table.compared:
                    yield row(empty, line.published, texts(line.published), "", "footnotesize:;")
                if table.intervals:
                    ends = [line.ours[m].interval if m in line.ours else "" for m in table.metrics]
                    yield row(empty, {}, ends, "", "footnotesize:;")
                task, approach = "", ""


def html_text(table: PaperTable) -> str:
    """The table as an HTML element that stands alone."""
    return render("paper_table.html.j2", table=table).strip() + "\n"


FORMATS: Mapping[str, tuple[str, Callable[[PaperTable], str]]] = {
    "csv": ("csv", csv_text),
    "latex": ("tex", latex_text),
    "html": ("html", html_text),
}
"""Format -> (a file's suffix, what writes it)."""


def write_tables(run: Path) -> list[Path]:
    """Write every table of a run in every format below `report/tables/`, and its findings.

    Returns:
        The files written.

    Raises:
        UsageError: the run has no figures.
        RecipeError: the recipe's `[published]` does not validate.
    """
    results, folder = read_results(run), run / "report" / "tables"
    written = []
    require_figures(results)
    for asked in run_tables(results).values():
        table = paper_table(results, asked)
        if not table.lines:  # the run has no row of it
            continue
        for suffix, text in FORMATS.values():
            written.append(folder / f"{table.stem}.{suffix}")
            write_text(written[-1], text(table))
    if found := run_findings(results):
        written.append(folder / "findings.json")
        write_json(written[-1], findings_json(found, results.synthetic))
    return written
