"""The paper's findings, asked of figures whose answer is known."""

import json
import tomllib
from pathlib import Path

import pytest
import tomli_w

import echokit_ph_newborn
from echokit.recipe.published import PublishedFinding
from echokit.report import ask_findings, read_results, run_findings, run_tables
from echokit.report.paper.compared import beyond_noise
from echokit.report.paper.publication import Figure, publication

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


def rows_of_the_paper(half):
    printed = publication(PAPER).figures
    return [
        dict(zip(("task", "approach", "views"), key, strict=True))
        | {metric: cell(figure.mean, half=half) for metric, figure in figures.items()}
        for key, figures in printed.items()
    ]


def paper_findings(rows, paired=()):
    return ask_findings(publication(PAPER).findings, rows, paired)


def verdicts(rows):
    return {finding.name: finding for finding in paper_findings(rows)}


def test_the_papers_own_figures_agree_with_its_findings():
    found = verdicts(rows_of_the_paper(None))
    assert found.pop("wrong-less-sure").holds is None  # said in the text, in no table
    assert {finding.verdict for finding in found.values()} == {"holds"}
    assert len(found) == 5
    figures = publication(PAPER).figures
    for task, approach, views in figures:  # as the detail says them
        if approach == MAIN:
            f1 = figures[task, approach, views]["f1"].mean
            assert f"{views} {task} {f1:.2f}" in found["binary-easier"].detail


def test_a_difference_that_intervals_allow_for_is_within_noise():
    assert {f.verdict for f in paper_findings(rows_of_the_paper(0.2)) if f.holds} == {
        "holds, within noise"
    }
    found = paper_findings(rows_of_the_paper(0.0001))
    sure = [f.name for f in found if f.verdict == "holds, beyond noise"]
    assert sure == ["best-view", "a4c-behind", "more-views", "binary-easier", "time-helps"]


@pytest.mark.parametrize("half", [0.001, 0.6])
def test_the_opposite_does_not_hold(half):
    rows = rows_of_the_paper(half)
    for each in rows:
        for metric in METRICS if each["approach"] == MAIN else ():
            each[metric] = cell(1 - each[metric]["mean"], half=half)
        each |= {"confidence_correct": cell(0.8, half=None), "confidence_wrong": cell(0.9)}
    noise = {0.001: "beyond", 0.6: "within"}[half]
    found = verdicts(rows)
    assert found.pop("wrong-less-sure").verdict == "does not hold"
    assert {f.verdict for f in found.values()} == {f"does not hold, {noise} noise"}


def test_a_finding_whose_rows_lack_says_which():
    rows = [r for r in rows_of_the_paper(0.05) if r["approach"] == MAIN and r["views"] != "MV-All"]
    found = verdicts([r for r in rows if r["task"] == "severity"])
    assert found["best-view"].holds is True
    for name, words in {
        "more-views": f"the run has no row severity, {MAIN}, MV-All",
        "binary-easier": f"the run has no row of both binary and severity, {MAIN}",
        "time-helps": f"the run has no row of both {MAIN} and spatial, severity",
        "wrong-less-sure": "the run has no row of both confidence of correct predictions and "
        f"confidence of wrong predictions, {MAIN}",
    }.items():
        assert (found[name].holds, found[name].detail) == (None, words)
    assert {f.holds for f in paper_findings([])} == {None}


def sureness(right, wrong, half):
    return {
        "confidence_correct": cell(right, half=half),
        "confidence_wrong": cell(wrong, half=half),
    }


def test_wrong_predictions_are_asked_of_every_view_and_set_with_their_intervals():
    places = [(t, v) for t in ("severity", "binary") for v in ("PLAX", "PSAX-A", "MV-3")]
    rows = [row(task, MAIN, v, 0.8, **sureness(0.92, 0.83, 0.02)) for task, v in places]
    rows.append(row("severity", MAIN, "MV-All", 0.8, confidence_correct=cell(0.9)))  # none wrong
    finding = verdicts(rows)["wrong-less-sure"]
    assert finding.verdict == "holds, beyond noise"
    assert finding.detail.startswith("PLAX severity 0.92 right, 0.83 wrong; PSAX-A severity")
    assert finding.detail.endswith("wrong ones less confident in 6 of 6 rows, beyond noise in 6")
    rows[1] |= sureness(0.92, 0.83, 0.2)
    finding = verdicts(rows)["wrong-less-sure"]
    assert finding.verdict == "holds, within noise"
    assert "PSAX-A severity 0.92 right, 0.83 wrong, within noise; " in finding.detail
    assert finding.detail.endswith("6 of 6 rows, beyond noise in 5")
    rows[4] |= sureness(0.82, 0.84, 0.03)
    finding = verdicts(rows)["wrong-less-sure"]
    assert finding.verdict == "does not hold, within noise"
    assert "in 5 of 6 rows" in finding.detail


def test_approaches_are_compared_in_the_same_rows_and_not_the_best_of_each():
    """Spatial has the single best row, and is behind in every other."""
    f1 = {"PLAX": (0.6, 0.9), "A4C": (0.7, 0.5), "MV-3": (0.8, 0.6)}
    rows = [
        row(task, approach, view, of[i])
        for task in ("severity", "binary")
        for view, of in f1.items()
        for i, approach in enumerate((MAIN, "spatial"))
    ]
    finding = verdicts(rows)["time-helps"]
    assert finding.verdict == "holds, within noise"  # 0.70 and 0.67, each ± 0.05
    assert "F1-score: spatio-temporal in the mean of 3 rows 0.70, spatial 0.67" in finding.detail
    assert "severity: ahead in 2 of 3 rows, a lead in F1-score of +0.03 in the mean" in (
        finding.detail
    )
    assert "binary: ahead in 2 of 3 rows" in finding.detail


@pytest.mark.parametrize("turned", [False, True])
def test_a_lead_on_the_same_patients_is_judged_by_its_own_interval(turned):
    both = [("spatial", 0.67), (MAIN, 0.70)]
    rows = [row("severity", approach, "PLAX", f1) for approach, f1 in both]
    entry = {"task": "severity", "approaches": [MAIN, "spatial"], "views": ["PLAX"]}
    lead = {"mean": 0.03, "ci95": [0.01, 0.05]}
    if turned:
        entry["approaches"] = ["spatial", MAIN]
        lead = {"mean": -0.03, "ci95": [-0.05, -0.01]}

    def said(**other):
        paired = [entry | {"f1": lead, "balanced_accuracy": lead} | other]
        (finding,) = (f for f in paper_findings(rows, paired) if f.name == "time-helps")
        return finding

    assert said().verdict == "holds, beyond noise"
    assert "+0.03 in the mean (+0.01 to +0.05 on the same patients)" in said().detail
    wide = {"mean": lead["mean"], "ci95": [-0.09, 0.09]}
    assert said(f1=wide).verdict == "holds, within noise"
    assert verdicts(rows)["time-helps"].verdict == "holds, within noise"


def test_more_views_are_held_against_every_view_and_not_the_best():
    f1 = {"PLAX": 0.60, "A4C": 0.71, "PSAX-A": 0.5, "MV-3": 0.70, "MV-All": 0.80}
    rows = [row("severity", MAIN, view, x) for view, x in f1.items()]
    finding = verdicts(rows)["more-views"]
    assert finding.verdict == "does not hold, within noise"
    assert all(f"{view} {x:.2f}" in finding.detail for view, x in f1.items())
    rows[1] |= {"f1": cell(0.69), "balanced_accuracy": cell(0.69)}
    assert verdicts(rows)["more-views"].holds is True


def test_of_many_pairs_one_against_it_must_be_surer():
    """Just beyond noise by itself, and not as one of 15 pairs that were looked at."""
    f1 = {"PLAX": 0.5, "A4C": 0.5, "PSAX-P": 0.5, "PSAX-A": 0.5, "MV-3": 0.5, "MV-All": 0.42}
    rows = [row("severity", MAIN, view, x) for view, x in f1.items()]
    assert beyond_noise(Figure(0.5, None, (0.45, 0.55)), Figure(0.42, None, (0.37, 0.47)))
    assert verdicts(rows)["more-views"].verdict == "does not hold, within noise"
    rows[-1] |= {"f1": cell(0.3), "balanced_accuracy": cell(0.3)}
    assert verdicts(rows)["more-views"].verdict == "does not hold, beyond noise"


def test_a_single_rounding_step_between_plax_and_a4c_is_not_near_psax_p():
    f1 = {"PSAX-P": 0.9, "PLAX": 0.71, "A4C": 0.7}
    finding = verdicts([row("severity", MAIN, v, x) for v, x in f1.items()])["a4c-behind"]
    assert finding.verdict == "does not hold"


def test_the_limit_of_a_difference_is_that_of_independent_normal_means():
    # for symmetric intervals, the textbook limit: d - 1.96 sqrt(se1^2 + se2^2)
    def at(mean, half):
        return Figure(mean, None, (mean - half, mean + half))

    assert beyond_noise(at(0.80 + 0.0501, 0.03), at(0.80, 0.04)) is True
    assert beyond_noise(at(0.80 + 0.0499, 0.03), at(0.80, 0.04)) is False
    assert beyond_noise(at(0.8, 0.1), Figure(0.1)) is None


def stated(**other):
    """A finding of somebody else's publication."""
    given = {"name": "n", "sentence": "s", "compare": "approaches", "higher": ["a"]}
    given |= {"lower": ["b", "c"], "tasks": ["t"], "views": ["v"], "metrics": ["f1"]}
    return PublishedFinding(**given | other)


def of_three(a, b, c):
    return [row("t", approach, "v", f1) for approach, f1 in zip("abc", (a, b, c), strict=True)]


@pytest.mark.parametrize(
    ("figures", "other", "holds"),
    [
        ((0.9, 0.8, 0.7), {}, True),
        ((0.8, 0.9, 0.7), {}, False),
        ((0.8, 0.7, 0.9), {}, False),
        ((0.8, 0.8, 0.7), {}, False),
        ((0.8, 0.8, 0.7), {"ties": True}, True),
        ((0.9, 0.8, 0.5), {"nearer": ["a", "b", "c"]}, True),
        ((0.9, 0.6, 0.8), {"nearer": ["a", "b", "c"]}, False),
        ((0.9, 0.8, 0.95), {"lower": ["b"]}, True),
    ],
)
def test_any_publications_finding_is_asked(figures, other, holds):
    (finding,) = ask_findings([stated(**other)], of_three(*figures))
    assert finding.holds is holds


def test_the_higher_side_must_be_there_and_of_the_lower_one_name_is_enough():
    rows = of_three(0.9, 0.8, 0.7)
    remark = stated(remark="without {absent}")
    asked = {n: ask_findings([remark], [r for r in rows if r["approach"] != n])[0] for n in "abc"}
    assert {n: finding.holds for n, finding in asked.items()} == {"a": None, "b": True, "c": True}
    assert asked["a"].detail == "the run has no row t, a, v"
    assert asked["b"].detail.endswith("; without b")
    assert "without" not in ask_findings([remark], rows)[0].detail


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"metrics": []}, "metrics"),
        ({"approaches": ["a"]}, "by higher and lower alone"),
        ({"compare": "approach"}, "compare"),
        ({"remark": "{aheadd}"}, "did you mean 'ahead'"),
    ],
)
def test_a_finding_that_cannot_be_asked_is_refused(other, words):
    with pytest.raises(ValueError, match=words):
        stated(**other)


@pytest.mark.parametrize("named", ["ph-newborn", "gone"])
def test_a_run_of_before_takes_its_findings_from_the_installed_recipe(tmp_path, named):
    figures = {key: PAPER["published"][key] for key in ("source", "columns", "rows")}
    old = {"name": named, "published": figures}
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(old))
    document = {"schema": 1, "synthetic": True, "rows": rows_of_the_paper(0.05)}
    (tmp_path / "metrics.json").write_text(json.dumps(document))
    results = read_results(tmp_path)
    names = [finding.name for finding in run_findings(results)]
    assert names == ([f["name"] for f in PAPER["published"]["findings"]] if named != "gone" else [])
    tables = ["1", "3"] if named != "gone" else ["metrics"]
    assert [*run_tables(results)] == [*tables, "confidence"]
