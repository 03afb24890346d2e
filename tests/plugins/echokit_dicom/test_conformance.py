"""The conformance statement says what the code does."""

from __future__ import annotations

from pathlib import Path

from pydicom import dcmread
from pydicom.examples import get_path

from echokit_dicom.conformance import statement

PAGE = Path(__file__).parents[3] / "docs" / "dicom-conformance.md"


def test_the_page_is_what_the_code_says():
    made = "Make it again: python -m echokit_dicom.conformance > docs/dicom-conformance.md"
    assert PAGE.read_text("utf-8") == statement(), made


def test_a_real_clip_is_of_a_class_and_syntax_that_it_names():
    header = dcmread(get_path("ybr_color"), stop_before_pixels=True)
    text = statement()
    node, loader = text.split("## The loader `dimse`")
    for part in (node, loader):
        assert f"`{header.SOPClassUID}`" in part
        assert f"`{header.file_meta.TransferSyntaxUID}`" in part
