"""Pictures and pages from the result files alone: no model, no plugin, no torch."""

from echokit.report.run_page import build_run_report
from echokit.report.saliency import saliency_movie, saliency_strip
from echokit.report.study_page import build_study_page
from echokit.report.terminal import summary_table

__all__ = [
    "build_run_report",
    "build_study_page",
    "saliency_movie",
    "saliency_strip",
    "summary_table",
]
