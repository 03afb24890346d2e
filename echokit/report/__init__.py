"""Pictures and pages from the result files alone: no model, no plugin, no torch."""

from echokit.report.paper.findings import ask_findings, run_findings
from echokit.report.paper.table_formats import FORMATS, print_table, write_tables
from echokit.report.paper.tables import paper_table, run_tables
from echokit.report.pictures.saliency import saliency_movie, saliency_strip
from echokit.report.results import read_results
from echokit.report.run_page import build_run_report
from echokit.report.study_page import build_study_page
from echokit.report.terminal import summary_table

__all__ = [
    "FORMATS",
    "ask_findings",
    "build_run_report",
    "build_study_page",
    "paper_table",
    "print_table",
    "read_results",
    "run_findings",
    "run_tables",
    "saliency_movie",
    "saliency_strip",
    "summary_table",
    "write_tables",
]
