import re

import pandas as pd

from echokit.report import build_run_report
from echokit.report.results import read_results
from echokit.report.sections.cohort import cohort_view


def read(run):
    return pd.read_csv(run / "cohort.csv", dtype=str, keep_default_na=False)


def test_a_patient_on_both_sides_is_cried_out(small, kit):
    table = read(small)
    clip = table.index[table["binary_split_00"] == "test"][0]
    table.loc[clip, "binary_split_00"] = "train"
    table.to_csv(small / "cohort.csv", index=False)
    patient = table.loc[clip, "patient"]
    assert cohort_view(read_results(small)).leaks == (patient,)
    page = kit.Page(build_run_report(small))
    (alarm,) = re.findall(r'<p class="banner bad">.*?</p>', page.source, re.S)
    assert patient in alarm


def test_split_columns_that_all_tasks_share_are_read_too(small, kit):
    text = (small / "cohort.csv").read_text().replace("binary_split_", "split_")
    (small / "cohort.csv").write_text(text)
    view = cohort_view(read_results(small))
    assert (view.held_tasks, view.checked, view.leaks) == (("",), 1, ())
    assert "banner bad" not in kit.Page(build_run_report(small)).source


def test_counts_agree_with_the_table(small):
    table, view = read(small), cohort_view(read_results(small))
    used = table[table["status"] == "used"]
    (labels,) = view.labels
    for label, patients, clips in labels.rows:
        mine = used[used["binary_label"] == label]
        assert patients == mine["patient"].nunique()
        assert dict(zip(labels.views, clips, strict=True)) == mine["view"].value_counts().to_dict()
    assert view.counts[0] == (str(used["patient"].nunique()), "patients")
    held = {person.name for person in view.people if person.held_out == ("00",)}
    assert held == set(used.loc[used["binary_split_00"] == "test", "patient"])


def test_patients_are_told_apart_as_written(small):
    table = read(small)
    table["patient"] = table["patient"].str.removeprefix("p")
    table.loc[0, "patient"], table.loc[1, "patient"] = "30", "030"
    table.to_csv(small / "cohort.csv", index=False)
    assert {"30", "030"} <= {person.name for person in cohort_view(read_results(small)).people}
