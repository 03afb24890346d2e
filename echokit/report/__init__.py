"""Pictures and pages from the result files alone: no model, no plugin, no torch."""

from echokit.report.paper.findings import paper_findings, run_findings
from echokit.report.paper.table_formats import FORMATS, print_table, write_tables
from echokit.report.paper.tables import paper_table
from echokit.report.pictures.saliency import saliency_movie, saliency_strip
from echokit.report.results import read_results
from echokit.report.run_page import build_run_report
from echokit.report.study_page import build_study_page
from echokit.report.terminal import summary_table

__all__ = [
    "FORMATS",
    "build_run_report",
    "build_study_page",
    "paper_findings",
    "paper_table",
    "print_table",
    "read_results",
    "run_findings",
    "saliency_movie",
    "saliency_strip",
    "summary_table",
    "write_tables",
]
