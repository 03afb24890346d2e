"""A run's figures beside published ones, as the run's page shows them."""

from __future__ import annotations

from dataclasses import dataclass

from echokit.errors import RecipeError
from echokit.report.paper.findings import Finding, run_findings
from echokit.report.paper.tables import PaperTable, paper_table, run_tables
from echokit.report.results import Gap, Results


@dataclass(frozen=True, slots=True)
class Beside:
    """The section of the page."""

    tables: tuple[PaperTable, ...]
    findings: tuple[Finding, ...]


def beside_published(results: Results) -> tuple[Beside | None, tuple[Gap, ...]]:
    """The section, or None where nothing is published or no figure made; and what is broken."""
    if not results.rows or "published" not in results.recipe:
        return None, ()
    try:
        tables = (paper_table(results, asked) for asked in run_tables(results).values())
        return Beside(tuple(t for t in tables if t.compared and t.lines), run_findings(results)), ()
    except RecipeError as error:
        return None, (Gap("recipe.toml", f"is read, but {error}"),)
