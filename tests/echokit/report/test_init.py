"""`echokit.report` offers its names without importing what is behind the others."""

import subprocess
import sys

import pytest

import echokit.report


def imported_after(code):
    """The modules that a fresh interpreter has imported."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


def test_every_public_name_can_be_had():
    assert set(echokit.report.__all__) <= set(dir(echokit.report))
    assert all(getattr(echokit.report, name) is not None for name in echokit.report.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'chart'"):
        echokit.report.chart  # noqa: B018


def test_importing_the_report_imports_nothing_heavy():
    loaded = imported_after("import echokit.report")
    assert not loaded & {"torch", "av", "pydicom", "monai", "matplotlib", "sklearn", "pandas"}


def test_a_strip_of_saliency_loads_no_page():
    loaded = imported_after("from echokit.saliency.pictures import saliency_movie, saliency_strip")
    assert {name for name in loaded if name.startswith("echokit.report")} == set()
