"""The public API: what users and plugins may import, and the examples in its documentation."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from pydicom.examples import get_path

import echokit

EXPECTED = [
    "INTERFACE",
    "VIEWS",
    "Aggregator",
    "Backbone",
    "Box",
    "CheckReport",
    "Clip",
    "ClipError",
    "ClipRef",
    "ClipResult",
    "ClipStream",
    "Cohort",
    "CohortError",
    "DamagedError",
    "DataError",
    "EchokitError",
    "Evaluation",
    "Executor",
    "Explainer",
    "Loader",
    "Model",
    "OptionError",
    "PluginError",
    "Prediction",
    "Progress",
    "QueuedStudy",
    "RecipeError",
    "Rejection",
    "Run",
    "Saliency",
    "ShownClip",
    "StudyQueue",
    "StudyResult",
    "SubjectResult",
    "SupportsBlocks",
    "SupportsCam",
    "SupportsCheck",
    "SupportsFile",
    "SupportsFingerprint",
    "SupportsFit",
    "SupportsPasses",
    "SupportsRemarks",
    "SupportsSelection",
    "SupportsStream",
    "SupportsWrite",
    "TrainingError",
    "Transform",
    "UsageError",
    "Votes",
    "Writer",
    "__version__",
    "check",
    "check_whole",
    "deprecated_option",
    "evaluate",
    "export_run",
    "fit_weights",
    "hookimpl",
    "is_below",
    "key_file",
    "keyed_digest",
    "load",
    "make_signing_key",
    "open_run",
    "pseudonym",
    "read",
    "read_weights",
    "resolve",
    "run",
    "scratch_folder",
    "whole_file",
    "whole_folder",
]
USED_BY_HAND = (
    *("Clip", "Model", "Run", "StudyResult"),
    *("check", "evaluate", "load", "open_run", "read", "run"),
)
"""What a notebook uses: each has an example."""


def test_the_public_names_are_exactly_these():
    assert echokit.__all__ == EXPECTED


def test_the_public_names_are_sorted_and_each_once():
    def constants_then_classes(name: str) -> tuple[bool, bool, str]:
        return not name.isupper(), not name[0].isupper(), name

    assert echokit.__all__ == sorted(set(echokit.__all__), key=constants_then_classes)


def test_every_public_name_is_there():
    assert [name for name in echokit.__all__ if not hasattr(echokit, name)] == []
    assert set(echokit.__all__) <= set(dir(echokit))


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'echokit' has no attribute 'lod'"):
        _ = echokit.lod


def test_every_error_is_an_echokit_error():
    errors = [getattr(echokit, name) for name in echokit.__all__ if name.endswith("Error")]
    assert len(errors) == 10
    assert all(issubclass(error, echokit.EchokitError) for error in errors)


def test_every_public_class_and_function_is_documented():
    names = [n for n in echokit.__all__ if callable(getattr(echokit, n)) and n != "hookimpl"]
    assert [name for name in names if not getattr(echokit, name).__doc__] == []


def test_importing_it_imports_neither_torch_nor_numpy():
    """Nor does any name that a plugin's module needs when it is listed."""
    heavy = ("torch", "numpy", "pandas", "PIL", "pydantic", "zarr", "typer")
    code = f"import sys, echokit; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def examples() -> list[doctest.DocTest]:
    """Every docstring of the public API that holds an example."""
    finder, found = doctest.DocTestFinder(recurse=False), []
    for name in USED_BY_HAND:
        value = getattr(echokit, name)
        found += finder.find(value, name, import_module(value.__module__), {"echokit": echokit})
    return found


@pytest.fixture
def desk(small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a user has it: a finished run, a clip, and clips in a folder."""
    shutil.copytree(small_run, tmp_path / "runs" / "ph-newborn")
    (tmp_path / "runs" / "store.zarr").symlink_to(small_run.parent / "store.zarr")
    (tmp_path / "clips").mkdir()
    for place in (tmp_path, tmp_path / "clips"):
        shutil.copy(get_path("ybr_color"), place / "clip.dcm")
    (tmp_path / "clips" / "notes.txt").write_text("Dear colleague")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)
def test_the_examples_in_docstrings_say_what_they_do(desk, example):
    assert example.examples, f"echokit.{example.name} shows no example"
    said: list[str] = []
    result = doctest.DocTestRunner().run(example, out=said.append)
    assert result.failed == 0, "".join(said)


def test_every_public_field_is_documented():
    """A frozen value says of each field what it holds, in a docstring below it."""
    undocumented = []
    for name in (
        *("CheckReport", "ClipResult", "Evaluation"),
        *("Model", "StudyResult", "SubjectResult"),
    ):
        value = getattr(echokit, name)
        source = inspect.getsource(value)
        for field in value.__annotations__:
            _, _, rest = source.partition(f"\n    {field}: ")
            below = rest.split("\n")[1].strip()
            undocumented += [] if below.startswith('"""') else [f"{name}.{field}"]
    assert undocumented == []


def test_the_page_on_python_runs_from_top_to_bottom(desk, capsys):
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    assert len(blocks) == 6
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert (desk / "out" / "prediction.json").is_file()
    assert len(names["held_out"]) == 4 * len(
        set(names["run"].predictions.query("view == 'A4C'")["clip"])
    )
    assert "Predicting and explaining: 1 of 1" in capsys.readouterr().out
    trained = echokit.open_run("runs/try")
    assert (trained.recipe.seed, trained.recipe.backbone.options["width"]) == (1, 4)
    assert trained.recipe.explain is None
