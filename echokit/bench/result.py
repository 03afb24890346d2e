"""Write the result of a benchmark: one document, as JSON, CSV, Markdown and a page."""

from __future__ import annotations

import csv
import io
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import echokit
from echokit.report.page import write_page
from echokit.report.words import SYNTHETIC
from echokit.system.files import write_json, write_text
from echokit.system.machine import machine, packages, version_of
from echokit.system.sheets import quote_cell

Row = dict[str, Any]
"""One row of a table, as it stands in the JSON document."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of results."""

    heading: str
    show: Callable[[Row], str]
    """Formats the cell of a row."""
    right: bool = False
    """True for numbers, which are aligned to the right."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a result."""

    title: str
    name: str
    """Key of the rows in the document, and the end of the CSV file's name."""
    columns: Sequence[Column]
    note: str = ""
    """What a reader must know to read the table, in a sentence or two above it."""
    picture: str = ""
    """An SVG that stands below the table on the page; made of numbers alone."""


def document(kind: str, synthetic: bool, **more: object) -> Row:
    """Make the document of a result: its kind, the machine, the versions and the measurements.

    Args:
        kind: `accuracy` or `speed`.
        synthetic: whether any figure comes from the synthetic cohort.
        more: rows and settings.
    """
    import torch  # not at the top: `echokit bench --help` needs no torch

    return {
        "schema": 1,
        "kind": kind,
        "synthetic": synthetic,
        "echokit": echokit.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "packages": {name: found for name in packages() if (found := version_of(name))},
        "machine": machine(),
        **more,
    }


def write_result(out: Path, stem: str, title: str, result: Row, tables: Sequence[Table]) -> Path:
    """Write `<stem>.json`, `.md` and `.html`, and `<stem>-<table>.csv`, below `out`.

    Returns:
        The page.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / f"{stem}.json", result)
    write_text(out / f"{stem}.md", markdown(title, result, tables))
    for table in tables:
        write_text(out / f"{stem}-{table.name}.csv", as_csv(result[table.name]))
    return write_page(
        out / f"{stem}.html",
        "bench.html.j2",
        title=title,
        machine=machine_sentence(result),
        synthetic=result["synthetic"],
        tables=[(table, table_cells(table, result[table.name])) for table in tables],
    )


def machine_sentence(result: Row) -> str:
    """Describe the machine and the versions in a sentence."""
    host = result["machine"]
    gpu = "no GPU" if host["device"] == "cpu" else host["device"]
    return (
        f"{host['cpu']}, {host['cores']} cores, {host['memory_gb']} GB, {gpu}; Python "
        f"{result['python']}, torch {result['torch']}, echokit {result['echokit']}."
    )


def table_cells(table: Table, rows: Sequence[Row]) -> list[list[str]]:
    """Format the cells of a table, row by row."""
    return [[column.show(row) for column in table.columns] for row in rows]


def markdown(title: str, result: Row, tables: Sequence[Table]) -> str:
    """Format the result in Markdown, for a README."""
    parts = [f"# {title}"]
    if result["synthetic"]:
        parts.append(f"**{SYNTHETIC}.**")
    parts.append(machine_sentence(result))
    for table in tables:
        parts.append(f"## {table.title}")
        if table.note:
            parts.append(table.note)
        head = [column.heading for column in table.columns]
        rule = ["--:" if column.right else "---" for column in table.columns]
        lines = [head, rule, *table_cells(table, result[table.name])]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """Format rows as CSV: every field with a single value, and nested fields as `field.part`."""
    flat = [_flatten(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: quote_cell(cell) for name, cell in row.items()} for row in flat)
    return text.getvalue()


def _flatten(row: Mapping[str, object]) -> dict[str, object]:
    """Flatten nested mappings to `field.part`; join lists of plain values with spaces."""
    result: dict[str, object] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            result |= {f"{name}.{part}": inner for part, inner in _flatten(value).items()}
        elif isinstance(value, list | tuple):
            # lists of lists, such as curves, stay in the JSON file alone
            if all(not isinstance(inner, list | tuple | Mapping) for inner in value):
                result[name] = " ".join(map(str, value))
        else:
            result[name] = value
    return result
