"""Pictures and pages from the result files alone: no model, no plugin, no torch.

Each name is imported when it is first asked for, so that one page does not load the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echokit.report.evaluation_page import build_evaluation_page, evaluation_table
    from echokit.report.paper.findings import ask_findings, run_findings
    from echokit.report.paper.table_formats import FORMATS, print_table, write_tables
    from echokit.report.paper.tables import paper_table, require_figures, run_tables
    from echokit.report.results import read_results
    from echokit.report.run_page import build_run_report
    from echokit.report.study_page import build_study_page
    from echokit.report.terminal import external_table, summary_table

_MODULES = {
    "FORMATS": "paper.table_formats",
    "ask_findings": "paper.findings",
    "build_evaluation_page": "evaluation_page",
    "build_run_report": "run_page",
    "build_study_page": "study_page",
    "evaluation_table": "evaluation_page",
    "external_table": "terminal",
    "paper_table": "paper.tables",
    "print_table": "paper.table_formats",
    "read_results": "results",
    "require_figures": "paper.tables",
    "run_findings": "paper.findings",
    "run_tables": "paper.tables",
    "summary_table": "terminal",
    "write_tables": "paper.table_formats",
}

__all__ = [
    "FORMATS",
    "ask_findings",
    "build_evaluation_page",
    "build_run_report",
    "build_study_page",
    "evaluation_table",
    "external_table",
    "paper_table",
    "print_table",
    "read_results",
    "require_figures",
    "run_findings",
    "run_tables",
    "summary_table",
    "write_tables",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
