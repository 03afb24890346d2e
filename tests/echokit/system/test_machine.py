"""The distributions whose versions stand beside a result."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from echokit.system.machine import _cpu, packages

METADATA = """Metadata-Version: 2.1
Name: echokit-hello
Version: 1.2
Requires-Dist: echokit-cardiac
Requires-Dist: some-library[fast]>=2; python_version >= "3.8"
Requires-Dist: pytest>=8; extra == "test"
"""


def test_they_are_what_echokit_and_every_installed_plugin_require(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = set(packages())
    assert {"numpy", "torch", "monai", "captum", "scikit-learn"} <= before
    assert "pytest" not in before  # of an extra
    info = tmp_path / "echokit_hello-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text("[echokit]\nhello = echokit_hello\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert set(packages()) - before == {"echokit-hello", "some-library"}
    assert list(packages()) == sorted(packages())


def test_processors_of_one_name_are_told_apart(monkeypatch: pytest.MonkeyPatch):
    def read(text: str) -> object:
        monkeypatch.setattr(Path, "read_text", lambda *_: text)
        return _cpu()

    name = "model name\t: Some CPU\n"
    assert read(f"cpu family\t: 26\nmodel\t\t: 2\n{name}") == "Some CPU (family 26, model 2)"
    assert read(f"cpu family\t: 25\nmodel\t\t: 1\n{name}") == "Some CPU (family 25, model 1)"
    assert read(name) == "Some CPU"
    assert read("") == (platform.processor() or platform.machine())
