"""What a benchmark leaves behind: one document, as JSON, CSV, Markdown and a page."""

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
from echokit.system.machine import PACKAGES, machine, version_of

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table of results."""

    heading: str
    show: Callable[[Row], str]
    """A row's cell as a reader sees it."""
    right: bool = False
    """True for figures, which stand at the right."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a result."""

    title: str
    name: str
    """Key of its rows in the document, and the end of its CSV file's name."""
    columns: Sequence[Column]
    note: str = ""
    """What a reader must know, in a sentence or two above the table."""
    picture: str = ""
    """An SVG that stands below the table on the page; made of numbers alone."""


def document(kind: str, synthetic: bool, **more: Any) -> dict[str, Any]:
    """Begin a result: what it is, the machine and the versions; then whatever is measured.

    Args:
        kind: `accuracy` or `speed`.
        synthetic: whether any figure rests on the synthetic cohort.
        more: rows and settings.
    """
    import torch

    return {
        "schema": 1,
        "kind": kind,
        "synthetic": synthetic,
        "echokit": echokit.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "packages": {name: found for name in PACKAGES if (found := version_of(name))},
        "machine": machine(),
        **more,
    }


def write_result(
    out: Path, stem: str, title: str, result: Mapping[str, Any], tables: Sequence[Table]
) -> Path:
    """Write `<stem>.json`, `.md` and `.html`, and `<stem>-<table>.csv`, below `out`.

    Returns:
        The page.
    """
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / f"{stem}.json", dict(result))
    write_text(out / f"{stem}.md", markdown(title, result, tables))
    for table in tables:
        write_text(out / f"{stem}-{table.name}.csv", as_csv(result[table.name]))
    return write_page(
        out / f"{stem}.html",
        "bench.html.j2",
        title=title,
        facts=facts(result),
        synthetic=result["synthetic"],
        tables=[(table, cells(table, result[table.name])) for table in tables],
    )


def facts(result: Mapping[str, Any]) -> str:
    """The machine and the versions in a sentence."""
    here = result["machine"]
    where = "no GPU" if here["device"] == "cpu" else here["device"]
    return (
        f"{here['cpu']}, {here['cores']} cores, {here['memory_gb']} GB, {where}; Python "
        f"{result['python']}, torch {result['torch']}, echokit {result['echokit']}."
    )


def cells(table: Table, rows: Sequence[Row]) -> list[list[str]]:
    """A table's cells in words, row by row."""
    return [[column.show(row) for column in table.columns] for row in rows]


def markdown(title: str, result: Mapping[str, Any], tables: Sequence[Table]) -> str:
    """The result for a README: the same tables in Markdown."""
    parts = [f"# {title}"]
    if result["synthetic"]:
        parts.append(f"**{SYNTHETIC}.**")
    parts.append(facts(result))
    for table in tables:
        parts.append(f"## {table.title}")
        if table.note:
            parts.append(table.note)
        head = [column.heading for column in table.columns]
        rule = ["--:" if column.right else "---" for column in table.columns]
        lines = [head, rule, *cells(table, result[table.name])]
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV: every field that is a single value, nested ones as `field.part`."""
    flat = [_flat(row) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            result |= {f"{name}.{part}": inner for part, inner in _flat(value).items()}
        elif isinstance(value, list | tuple):
            if all(not isinstance(inner, list | tuple | Mapping) for inner in value):
                result[name] = " ".join(map(str, value))
        else:
            result[name] = value
    return result
