"""The paper's tables: what is in them, and the same figures in every format."""

import csv
import io
import json
import re
import tomllib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import tomli_w
from rich.console import Console

import echokit_ph_newborn
from echokit import RecipeError, UsageError
from echokit.cli.report import _asked
from echokit.report import (
    FORMATS,
    build_run_report,
    paper_table,
    print_table,
    read_results,
    run_tables,
    write_tables,
)

PAPER = tomllib.loads((Path(echokit_ph_newborn.__file__).parent / "recipe.toml").read_text("utf-8"))
METRICS = ("auroc", "f1", "precision", "recall", "balanced_accuracy", "confidence")
MAIN = "spatio-temporal"


def cell(mean, sd=0.04, half=0.05):
    return {"mean": mean, "sd": sd, "ci95": [mean - half, mean + half] if half else None}


def row(task, approach, views, f1, **others):
    values = {metric: cell(f1) for metric in METRICS} | others
    return {
        "task": task, "approach": approach, "views": views,
        "n_splits": 10, "n_subjects": 190, **values,
    }  # fmt: skip


def write(folder, rows, recipe, synthetic=True):
    folder.mkdir(parents=True, exist_ok=True)
    document = {"schema": 1, "synthetic": synthetic, "rows": rows}
    (folder / "metrics.json").write_text(json.dumps(document))
    (folder / "recipe.toml").write_text(tomli_w.dumps(recipe))
    (folder / "run.json").write_text(json.dumps({"name": folder.name, "stages": []}))
    return folder


@pytest.fixture
def paper_run(tmp_path):
    """A run of the paper's recipe: one task, ties for the best, rows and figures that lack."""
    rows = [
        row("severity", MAIN, "PLAX", 0.781, auroc=None),
        row("severity", MAIN, "A4C", 0.702, auroc=cell(0.90, sd=None, half=None)),
        row("severity", MAIN, "PSAX-P", 0.779, auroc=cell(0.9049)),
        row("severity", MAIN, "PSAX-S", 0.99),
        row("severity", MAIN, "MV-3", 0.70),
    ]
    return write(tmp_path / "paper", rows, PAPER)


@pytest.fixture
def own_run(tmp_path):
    """A run of somebody's recipe, whose names are a trial to every format."""
    rows = [
        row("grade_1 & more", "50% {deep}", r"A\B~#1", 0.5),
        row("grade_1 & more", "50% {deep}", "<b>$x^2$</b>", 0.6),
        row("grade_1 & more", "[red]", 'a, "b"', 0.7),
    ]
    return write(tmp_path / "own", rows, {"name": "own"}, synthetic=False)


def table(run, name):
    results = read_results(run)
    return paper_table(results, run_tables(results)[name])


def terminal(shown, width):
    console = Console(width=width, file=io.StringIO())
    print_table(console, shown)
    return console.file.getvalue()


def add_rows(run, *more):
    document = json.loads((run / "metrics.json").read_text())
    document["rows"] += more
    (run / "metrics.json").write_text(json.dumps(document))


def test_table_1_has_the_papers_rows_columns_and_figures(paper_run):
    views = ["A4C", "PLAX", "PSAX-P", "MV-3", "MV-All"]
    add_rows(paper_run, row("severity", MAIN, "MV-All", 0.7))
    add_rows(paper_run, *(row("binary", MAIN, name, 0.7) for name in views))
    shown = table(paper_run, "1")
    assert shown.metrics == METRICS[:5]
    assert [(b.letter, b.task) for b in shown.blocks] == [("(a)", "severity"), ("(b)", "binary")]
    for block in shown.blocks:
        assert [x.views for x in block.lines] == views
        assert {x.approach for x in block.lines} == {MAIN}
    last = shown.blocks[0].lines[-1]  # as printed in the paper
    printed = [str(last.published[metric]) for metric in shown.metrics]
    assert printed == ["0.86±0.09", "0.84±0.06", "0.86±0.05", "0.85±0.05", "0.78±0.07"]


@pytest.mark.parametrize("views", [["A4C", "PLAX"], ["MV-3"]])
def test_rows_of_the_paper_that_were_not_run_are_not_shown_in_any_format(tmp_path, kit, views):
    run = write(tmp_path, [row("severity", MAIN, name, 0.7) for name in views], PAPER)
    for name in ("1", "3"):
        shown = table(run, name)
        assert [(x.task, x.approach, x.views) for x in shown.lines] == [
            ("severity", MAIN, name) for name in views
        ]
        captions = {"csv": "task,", "latex": "toprule", "html": "<thead"}
        bodies = [FORMATS[form][1](shown).partition(end)[2] for form, end in captions.items()]
        for body in (*bodies, terminal(shown, 100).partition("Synthetic cohort")[0]):
            assert all(name in body for name in views)
            assert not re.search(r"MV-All|PSAX-S|binary", body)
    page = kit.Page(build_run_report(run))
    assert "0.86±0.09" not in page.inside("published")  # the paper's severity, MV-All


def test_a_table_without_a_row_of_the_run_is_not_made(tmp_path, kit):
    run = write(tmp_path, [row("severity", "spatial", "A4C", 0.7)], PAPER)
    assert table(run, "1").lines == ()
    assert {path.name for path in write_tables(run)} >= {"table-3.csv", "confidence.csv"}
    assert not (run / "report" / "tables" / "table-1.csv").exists()
    assert "Table 1" not in kit.Page(build_run_report(run)).inside("published")
    with pytest.raises(UsageError, match="no row of table '1'"):
        _asked(read_results(run), "1", "latex")
    assert [shown.name for shown in _asked(read_results(run), "all", "html")] == [
        "3",
        "confidence",
    ]


def test_table_3_has_every_row_of_the_run(paper_run):
    add_rows(paper_run, row("severity", MAIN, "subcostal", 0.4))
    add_rows(paper_run, row("binary", "spatial", "MV-3", 0.4))
    shown = table(paper_run, "3")
    views = ["A4C", "PLAX", "PSAX-P", "PSAX-S", "MV-3"]
    assert shown.metrics == METRICS
    assert [[(a, [x.views for x in some]) for a, some in b.approaches] for b in shown.blocks] == [
        [(MAIN, [*views, "subcostal"])],
        [("spatial", ["MV-3"])],
    ]
    assert all(bool(x.published) == (x.views != "subcostal") for x in shown.lines)


def test_rows_that_the_run_lacks_are_named(paper_run):
    notes = table(paper_run, "3").notes
    lacking = f"severity, spatial; severity, {MAIN}: PSAX-A and MV-All; binary"
    assert f"Not run, and so left out: {lacking}" in notes
    notes = table(paper_run, "1").notes
    assert f"Not run, and so left out: severity, {MAIN}: MV-All; binary" in notes


def test_what_the_authors_found_on_held_out_patients_stands_below_table_3(paper_run, own_run, kit):
    (said,) = (note for note in table(paper_run, "3").notes if "follow-up" in note)
    assert "0.84 in cross-validation to 0.63 on held-out patients (severity)" in said
    assert "0.92 in cross-validation to 0.78 on held-out patients (binary)" in said
    assert "doi:10.1007/s11263-024-01996-x, 270 newborns" in said
    assert "held-out patients, with its interval" in said
    assert said in kit.Page(build_run_report(paper_run)).text
    flat = " ".join(terminal(table(paper_run, "3"), 100).split())
    assert said in flat
    assert not any("follow-up" in note for note in table(paper_run, "1").notes)
    assert not any("follow-up" in note for note in table(own_run, "metrics").notes)


def test_all_that_tie_for_the_best_are_marked_ours_apart_from_the_papers(paper_run):
    lines = table(paper_run, "1").blocks[0].lines
    best = {m: [x.views for x in lines if m in x.ours and x.ours[m].best] for m in METRICS[:5]}
    assert best["f1"] == ["PLAX", "PSAX-P"]  # 0.781 and 0.779 are both printed as 0.78
    assert best["auroc"] == ["A4C", "PSAX-P"]
    paper = {m: [x.views for x in lines if x.published[m].best] for m in METRICS[:5]}
    assert paper["precision"] == ["MV-3"]  # and MV-All, which was not run
    assert paper["f1"] == paper["auroc"] == []  # in the paper MV-All is the best


def test_confidence_is_no_merit(paper_run):
    for line in [*table(paper_run, "3").lines, *table(paper_run, "confidence").lines]:
        figures = [line.ours.get("confidence"), line.published.get("confidence")]
        assert not any(figure.best for figure in figures if figure)


def test_the_table_of_confidences_is_of_the_runs_own_rows(tmp_path):
    split = {"confidence_correct": cell(0.92), "confidence_wrong": None}
    run = write(tmp_path / "r", [row("severity", MAIN, "PLAX", 0.8, **split)], PAPER)
    shown = table(run, "confidence")
    assert shown.metrics == ("confidence", "confidence_correct", "confidence_wrong")
    (line,) = shown.lines
    assert {m: str(f) for m, f in line.ours.items()} == {
        "confidence": "0.80±0.04",
        "confidence_correct": "0.92±0.04",
    }
    assert line.published == {}
    assert table(run, "1").intervals is False


def test_intervals_of_confidences_stand_in_every_format_and_on_the_page(tmp_path, kit):
    split = {"confidence_correct": cell(0.92, half=0.03), "confidence_wrong": None}
    run = write(tmp_path / "r", [row("severity", MAIN, "PLAX", 0.8, **split)], {})
    shown = table(run, "confidence")
    assert "0.89–0.95" in terminal(shown, 80)
    assert "0.89,0.95," in FORMATS["csv"][1](shown).replace("0.9500000000000001", "0.95")
    assert r"\footnotesize 0.89--0.95" in FORMATS["latex"][1](shown)
    assert "<small>0.89–0.95</small>" in FORMATS["html"][1](shown)
    page = kit.Page(build_run_report(run))
    assert {"href": "#confidence"} in page.all("a")
    assert "0.89–0.95" in page.inside("confidence")


def test_the_notes_keep_a_synthetic_cohort_apart_from_patients(paper_run, own_run):
    for run, name, synthetic in (
        (paper_run, "1", True),
        (paper_run, "3", True),
        (own_run, "metrics", False),
    ):
        words = ". ".join(table(run, name).notes)
        assert ("Synthetic cohort" in words) == synthetic
        assert ("not comparable as evidence" in words) == synthetic
        assert ("GCPR 2022" in words) == synthetic
        assert "Research software, not a medical device" in words


def test_a_recipe_without_published_figures_prints_its_own(own_run):
    assert [*run_tables(read_results(own_run))] == ["metrics", "confidence"]
    shown = table(own_run, "metrics")
    assert not shown.compared
    assert len(shown.lines) == 3
    assert all(x.found and not x.published for x in shown.lines)
    assert not any(note.startswith("Not run") for note in shown.notes)
    names = {path.name for path in write_tables(own_run)}
    ends = ("csv", "tex", "html")
    assert names == {f"{stem}.{end}" for stem in ("metrics", "confidence") for end in ends}


@pytest.mark.parametrize("counts", [{1}, {10}, {2, 10}])
def test_the_title_says_over_how_many_splits(tmp_path, counts):
    rows = [row("t", "a", f"v{n}", 0.5) | {"n_splits": n} for n in counts]
    title = table(write(tmp_path / "r", rows, {}), "metrics").title
    said = {1: "One split", 2: "over 2 to 10 splits", 10: "over 10 splits"}[min(counts)]
    assert said in title


def test_a_run_without_figures_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"has no figures: metrics\.json is not there"):
        table(tmp_path, "confidence")


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("name", ["1", "3", "confidence"])
def test_no_figure_is_cut_in_the_terminal(paper_run, name, width):
    shown = table(paper_run, name)
    notes = tuple(note for note in shown.notes if "follow-up" not in note)  # it has figures too
    text = terminal(replace(shown, notes=notes), width)
    assert "…" not in text
    figures = [f for x in shown.lines for side in (x.ours, x.published)
               for m, f in side.items() if m in shown.metrics]  # fmt: skip
    if name == "confidence":
        figures += [end for f in figures if f.ci95 for end in f.interval.split("–")]
    assert sorted(re.findall(r"[01]\.\d\d(?:±0\.\d\d)?", text)) == sorted(map(str, figures))
    assert text.count("190") == sum(line.found for line in shown.lines)
    if name != "confidence":
        assert max(map(len, text.splitlines())) <= max(width, 80)


def test_a_strangers_names_are_words_in_the_terminal(own_run):
    text = terminal(table(own_run, "metrics"), 100)
    for words in ("grade_1 & more", "50% {deep}", "[red]", r"A\B~#1", "<b>$x^2$</b>"):
        assert words in text


@pytest.mark.parametrize("name", ["1", "3", "confidence"])
def test_csv_reads_back_to_the_same_figures(paper_run, name):
    shown = table(paper_run, name)
    frame = pd.read_csv(io.StringIO(FORMATS["csv"][1](shown)))
    assert len(frame) == len(shown.lines) * len(shown.metrics)
    assert frame["synthetic"].all()
    rows = {(x.task, x.approach, x.views): x for x in shown.lines}
    for record in frame.itertuples():
        line = rows[record.task, record.approach, record.views]
        ours, printed = line.ours.get(record.metric), line.published.get(record.metric)
        assert pd.isna(record.mean) if ours is None else record.mean == ours.mean
        assert pd.isna(record.sd) if ours is None or ours.sd is None else record.sd == ours.sd
        ends = (record.ci95_low, record.ci95_high)
        assert pd.isna(ends[0]) if ours is None or not ours.ci95 else ends == ours.ci95
        assert pd.isna(record.published_mean) == (printed is None)
        assert printed is None or record.published_mean == printed.mean
        assert record.best == bool(ours and ours.best)
    assert set(frame["n_subjects"].dropna()) == {190}


def test_csv_holds_a_strangers_names_and_whole_counts(own_run):
    records = list(csv.DictReader(io.StringIO(FORMATS["csv"][1](table(own_run, "metrics")))))
    assert {r["views"] for r in records} == {r"A\B~#1", "<b>$x^2$</b>", 'a, "b"'}
    assert {r["n_subjects"] for r in records} == {"190"}


@pytest.mark.parametrize(
    ("which", "name"),
    [
        ("paper_run", "1"),
        ("paper_run", "3"),
        ("paper_run", "confidence"),
        ("own_run", "metrics"),
        ("own_run", "confidence"),
    ],
)
def test_latex_is_well_formed(request, which, name):
    shown = table(request.getfixturevalue(which), name)
    text = FORMATS["latex"][1](shown)
    code = re.sub(r"(?m)^%.*\n", "", text)
    bare = re.sub(r"\\[&%$#_{}\\]", "", code)
    depth = 0
    for sign in re.findall(r"[{}]", bare):
        depth += 1 if sign == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert bare.count("$") == 2 * code.count(r"$\pm$")
    assert not re.search(r"[#~^<>_±–%]", bare)
    assert re.findall(r"\\begin\{(\w+)\}", code) == re.findall(r"\\end\{(\w+)\}", code)[::-1]
    columns = len(re.search(r"\\begin\{tabular\}\{([lcr]+)\}", code)[1])
    rows = re.search(r"\\toprule\n(.*)\\bottomrule", code, re.DOTALL)[1]
    for line in re.sub(r"\\midrule\n", "", rows).splitlines():
        assert line.endswith(r"\\")
        spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line))
        assert len(re.findall(r"(?<!\\)&", line)) + spans == columns - 1
    best = sum(f.best for x in shown.lines for side in (x.ours, x.published)
               for m, f in side.items() if m in shown.metrics)  # fmt: skip
    assert len(re.findall(r"\\textbf\{\d", code)) == best


class Cells(HTMLParser):
    """The rows of a table, their cells as words."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_html_has_every_row_and_no_tag_of_a_stranger(own_run):
    shown = table(own_run, "metrics")
    cells = Cells(FORMATS["html"][1](shown))
    rows = {r[0]: [c.strip() for c in r[1:]] for r in cells.rows[1:] if len(r) > 1}
    assert rows == {x.views: [*(str(x.ours[m]) for m in shown.metrics), "190"] for x in shown.lines}
    assert cells.tags.count("b") == sum(f.best for x in shown.lines for f in x.ours.values())
    assert cells.tags.count("table") == cells.tags.count("caption") == 1


def test_tables_are_written_in_every_format_again_and_again(paper_run):
    first = {path: path.read_bytes() for path in write_tables(paper_run)}
    folder = paper_run / "report" / "tables"
    stems = ("table-1", "table-3", "confidence")
    names = {f"{stem}.{end}" for stem in stems for end in ("csv", "tex", "html")}
    assert {path.name for path in folder.iterdir()} == {path.name for path in first}
    assert {path.name for path in first} == names | {"findings.json"}
    assert {path: path.read_bytes() for path in write_tables(paper_run)} == first
    assert json.loads((folder / "findings.json").read_text())["synthetic"] is True


def test_the_page_shows_them_beside_the_paper(paper_run, own_run, kit):
    page = kit.Page(build_run_report(paper_run))
    assert "published" in page.ids
    assert "0.84±0.08" in page.inside("published")
    assert "published" not in kit.Page(build_run_report(own_run)).ids


def test_another_publication_names_its_own_tables(tmp_path):
    printed = {"source": "elsewhere", "columns": ["f1"], "rows": {"t": {"a": {"v": [[0.7, 0.1]]}}}}
    asked = {"name": "2b", "label": "Table 2b", "columns": ["f1", "auroc"], "views": ["v", "w"]}
    recipe = {"name": "own", "published": printed | {"tables": [asked]}}
    rows = [row("t", "a", view, 0.5) for view in "uvw"]
    run = write(tmp_path / "r", rows, recipe)
    assert [*run_tables(read_results(run))] == ["2b", "confidence"]
    shown = table(run, "2b")
    assert (shown.label, shown.metrics, shown.stem) == ("Table 2b", ("f1", "auroc"), "table-2b")
    assert [line.views for line in shown.lines] == ["v", "w"]
    assert [str(line.published.get("f1")) for line in shown.lines] == ["0.70±0.10", "None"]
    bare = write(tmp_path / "bare", rows, {"published": printed})
    assert [*run_tables(read_results(bare))] == ["metrics", "confidence"]


ONE_FIGURE_TOO_MANY = {"t": {"a": {"v": [[0.5, 0.1], [0.5, 0.1]]}}}


@pytest.mark.parametrize(
    "broken", [{"source": "s"}, {"source": "s", "columns": ["f1"], "rows": ONE_FIGURE_TOO_MANY}]
)
def test_broken_published_figures_are_named_and_the_page_is_made(own_run, kit, broken):
    (own_run / "recipe.toml").write_text(tomli_w.dumps({"published": broken}))
    with pytest.raises(RecipeError, match="is not a table of figures"):
        table(own_run, "1")
    page = kit.Page(build_run_report(own_run))
    assert "recipe.toml" in page.data("file")
    assert "published" not in page.ids
