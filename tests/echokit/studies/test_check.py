"""`echokit data check` with a recipe says what a run and a prediction would say."""

import pytest
from typer.testing import CliRunner

import echokit
from echokit.cli import app

pytestmark = pytest.mark.usefixtures("tiny_plugin")


def check(tmp_path, *settings, **more):
    return echokit.check(tmp_path, recipe="tiny-study", settings=settings, **more)


def test_patients_are_counted_by_label_as_a_run_would(tmp_path):
    report = check(tmp_path, "data.views=['A4C', 'PLAX']")
    assert report.labels == {"severity": {"none": 5, "severe": 5}}
    assert report.summary["labels"] == report.labels
    assert report.warnings == []
    assert len(report.used) == 20


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("split.held_out=0.9", "echokit run would refuse it: 10 patients cannot be split"),
        ("tasks.severity.column=score", "echokit run would refuse it: Labels from the column"),
    ],
)
def test_what_a_run_would_refuse_is_said(setting, words, tmp_path):
    assert words in " ".join(check(tmp_path, setting).warnings)


def test_clips_of_other_views_and_short_ones_are_rejected_with_the_runs_reason(tmp_path):
    report = check(tmp_path, "views.use=['PLAX']", "data.views=['A4C', 'PLAX']")
    assert {file.reason for file in report.rejected if file.clip} == {
        "its view is not in use (in use: PLAX)"
    }
    short = check(tmp_path, "sequences.k=40")
    assert (len(short.used), short.rejected[-1].reason) == (0, "it has 10 frames; 40 are needed")


def test_the_command_takes_a_recipe_and_ends_with_3_where_nothing_can_be_used(tmp_path):
    def call(*words):
        words = ["data", "check", str(tmp_path), "--recipe", "tiny-study", *words]
        return CliRunner().invoke(app, words)

    done = call()
    assert (done.exit_code, "severity: none 5, severe 5 patients" in done.output) == (0, True)
    (tmp_path / "a.toml").write_text("[sequences]\nk = 40\n")
    assert call("--config", str(tmp_path / "a.toml")).exit_code == 3


def test_what_the_loader_remarks_comes_first(tmp_path, parts, monkeypatch):
    monkeypatch.setattr(parts.TinyLoader, "remarks", lambda self: ["9 published."], raising=False)
    assert check(tmp_path).warnings[0] == "9 published."
    assert echokit.check(tmp_path, loader="tiny").warnings[0] == "9 published."
    monkeypatch.undo()
    assert "published" not in " ".join(check(tmp_path).warnings)


def test_as_many_patients_as_clips_are_worth_a_word(tmp_path):
    assert "as many patients as clips (10)" in check(tmp_path).warnings[0]
