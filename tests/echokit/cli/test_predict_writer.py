"""`echokit predict --writer`: a plugin's writer writes the result in place of `folder`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from echokit import PluginError, hookimpl
from echokit.cli import app
from echokit.testing import tiny_result


class Labels:
    @hookimpl
    def register_writers(self, register: Any) -> None:
        def labels() -> Any:
            def write(result: Any, out: Any) -> Any:
                out.mkdir()
                (out / "labels.txt").write_text(result.label)
                return [out / "labels.txt"]

            return write

        register("labels", labels)


@pytest.fixture
def predict(isolated_plugins, monkeypatch, tmp_path):
    isolated_plugins.add(Labels(), "echokit-labels:x")
    opened = []

    def load(*given: Any, **options: Any) -> Any:
        opened.append(given)
        return SimpleNamespace(
            predict=lambda *given, **options: tiny_result(), folder=tmp_path / "run"
        )

    monkeypatch.setattr("echokit.load", load)

    def invoke(*words: str) -> str:
        command = ["predict", "run", "study", "--out", str(tmp_path / "out"), *words]
        done = CliRunner().invoke(app, command)
        if done.exception is not None:
            raise done.exception
        return done.output.replace("\n", "")

    return SimpleNamespace(invoke=invoke, opened=opened, out=tmp_path / "out")


def test_the_writer_that_is_named_writes_and_its_files_are_printed(predict):
    printed = predict.invoke("--writer", "labels")
    assert {path.name for path in predict.out.iterdir()} == {"labels.txt"}
    assert str(predict.out / "labels.txt") in printed


def test_without_one_the_folder_with_a_page_is_written(predict):
    printed = predict.invoke()
    assert {path.name for path in predict.out.iterdir()} == {
        "prediction.json",
        "saliency",
        "index.html",
    }
    assert str(predict.out / "index.html") in printed


def test_an_unknown_writer_is_refused_before_anything_is_opened(predict):
    with pytest.raises(PluginError):
        predict.invoke("--writer", "label")
    assert predict.opened == []
