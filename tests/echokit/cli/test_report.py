"""`echokit report`: what it prints, writes and refuses."""

import io
import json
import re
import sys
import warnings

import pandas as pd
import pytest
import tomli_w

from echokit.cli import main

MAIN = {"approaches": ["spatio-temporal"]}
BEST = {
    "name": "best-view",
    "sentence": "PSAX-P is the best single view",
    "compare": "views",
    "higher": ["PSAX-P"],
    "lower": ["PLAX"],
    "tasks": ["severity"],
    "metrics": ["f1"],
}
PUBLISHED = {
    "source": "a paper",
    "tables": [
        {"name": "1", "label": "Table 1", "columns": ["f1"]} | MAIN,
        {"name": "3", "label": "Table 3", "columns": ["auroc", "f1", "confidence"]},
    ],
    "findings": [BEST | MAIN, BEST | MAIN | {"name": "other", "higher": ["MV-All"]}],
    "columns": ["f1"],
    "rows": {"severity": {"spatio-temporal": {"PLAX": [[0.78, 0.05]], "A4C": [[0.72, 0.05]]}}},
}


@pytest.fixture
def run(tmp_path):
    """A small finished run, by its result files."""
    figure = {"mean": 0.5, "sd": None, "ci95": [0.4, 0.6]}
    names = {"task": "severity", "approach": "spatio-temporal", "views": "PLAX"}
    counts = {"n_splits": 1, "n_subjects": 23}
    rows = [names | counts | {"f1": figure, "confidence": figure, "auroc": None}]
    folder = tmp_path / "run"
    folder.mkdir()
    metrics = {"schema": 1, "synthetic": True, "rows": rows}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "run.json").write_text(json.dumps({"name": "run", "stages": []}))
    (folder / "recipe.toml").write_text(tomli_w.dumps({"published": PUBLISHED}))
    return folder


@pytest.fixture
def report(run, monkeypatch, capfd):
    """Call the command on the run; return its exit code, standard output and error."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main sets its own

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["echokit", "report", str(run), *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capfd.readouterr()

    return call


def test_it_makes_the_page_and_the_tables_and_prints_two_of_them(report, run):
    code, out, err = report()
    assert (code, err) == (0, "")
    assert re.findall(r"^Table \d", out, re.MULTILINE) == ["Table 1", "Table 3"]
    assert "What the paper found, and this run:" not in out  # nothing of it can be asked here
    assert out.count("0.78±0.05") == 2
    assert "Synthetic cohort" in out
    assert f"Report: {run / 'report' / 'index.html'}" in out
    assert (run / "report" / "index.html").is_file()
    written = {path.name for path in (run / "report" / "tables").iterdir()}
    stems = ("table-1", "table-3", "confidence")
    assert written == {f"{stem}.{end}" for stem in stems for end in ("csv", "tex", "html")}


def test_findings_are_printed_where_they_can_be_asked(report, run):
    metrics = json.loads((run / "metrics.json").read_text())
    (plax,) = metrics["rows"]
    psax = {"views": "PSAX-P", "f1": {"mean": 0.9, "sd": None, "ci95": [0.85, 0.95]}}
    metrics["rows"].append(plax | psax)
    (run / "metrics.json").write_text(json.dumps(metrics))
    _, out, _ = report("--table", "1")
    assert "PSAX-P is the best single view: holds, beyond noise" in out
    assert "the run has no row severity, spatio-temporal, MV-All" in out
    found = json.loads((run / "report" / "tables" / "findings.json").read_text())
    assert [finding["holds"] for finding in found["findings"]] == [True, None]


@pytest.mark.parametrize(("table", "titles"), [("1", 1), ("3", 1), ("confidence", 1), ("all", 3)])
def test_a_table_can_be_chosen(report, table, titles):
    code, out, _ = report("--table", table)
    assert code == 0
    assert " ".join(out.split()).count("n: held-out subjects") == titles


@pytest.mark.parametrize(
    ("form", "first", "last"),
    [("latex", "% \\usepackage{booktabs}", "\\end{table}"), ("html", "<table>", "</table>")],
)
def test_a_format_prints_nothing_else(report, run, form, first, last):
    code, out, err = report("--format", form)
    assert (code, err) == (0, "")
    assert (out.splitlines()[0], out.splitlines()[-1]) == (first, last)
    assert not (run / "report").exists()
    assert report("--format", form, "--table", "all")[1].count(last) == 3


def test_csv_goes_down_a_pipe_or_to_a_file(report, tmp_path):
    _, out, err = report("--format", "csv")
    frame = pd.read_csv(io.StringIO(out))
    f1 = frame[(frame["metric"] == "f1") & (frame["views"] == "PLAX")].squeeze()
    assert err == ""
    assert (f1["mean"], f1["ci95_low"], f1["published_mean"]) == (0.5, 0.4, 0.78)
    path = tmp_path / "new" / "table.csv"
    assert report("--format", "csv", "--out", path) == (0, "", "")
    assert path.read_text("utf-8") == out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--table", "2"), "there is no table '2': Valid: 1, 3, all, confidence."),
        (("--table", "confidences"), "did you mean 'confidence'?"),
        (("--format", "latx"), "did you mean 'latex'?"),
        (("--out", "x.csv"), "--out x.csv needs a format for the file: --format csv"),
        (("--format", "csv", "--table", "all"), "name one, as in --table confidence"),
        (("--format", "csv", "--out", "."), "is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_done_says_what_to_type(report, run, arguments, words):
    code, out, err = report(*arguments)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: [^\n]+\n", err)
    assert words in err
    assert not (run / "report").exists()


def test_a_run_without_figures_or_with_broken_published_ones_is_refused(report, run):
    (run / "recipe.toml").write_text(tomli_w.dumps({"published": PUBLISHED | {"columns": []}}))
    for arguments in ((), ("--format", "html")):
        code, out, err = report(*arguments)
        assert (code, out) == (2, "")
        assert "[published] is not a table of figures" in err
        assert "or take it out" in err
    (run / "metrics.json").unlink()
    assert "has no figures: metrics.json is not there" in report("--format", "csv")[2]
