"""Looking ahead at a run: what is refused before a pixel is read, and what it will do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from echokit import CohortError, UsageError
from echokit.components import outlook
from echokit.components.outlook import look_ahead
from echokit.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("tiny_plugin")


def ahead(*settings, **more):
    return look_ahead(load_recipe("tiny-study", settings=settings), **more)


def test_what_a_run_will_do_is_counted(parts):
    found = ahead("crossfit.folds=2")
    assert (len(found.cohort.clips), len(found.cohort.patients)) == (20, 10)
    assert found.labels == {"severity": {"none": 5, "severe": 5}}
    assert found.splits == {"severity": [(6, 4), (6, 4)]}
    assert (found.networks, found.inner_networks) == (2 * 2, 2 * 2 * 2)
    assert found.sequences == (4 * 6 + 8 * 3) * 2
    assert found.minutes is None
    assert found.to_json()["reasons"] == {"it is not a clip": 1}
    assert parts.TinyLoader.reads == {}, "pixels were read"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["split.method=k-fold", "split.splits=6"], "needs at least 6 of each label"),
        (["crossfit.folds=4"], r"Cross-fitting in split 0.*crossfit.folds=0"),
        (["tasks.severity.labels=['none', 'mild', 'severe']"], r"labelled mild .labels from"),
        (["tasks.severity.column=score"], "leave 0 classes"),
        (["split.method=file"], "must name one fold for each patient"),
    ],
)
def test_what_the_index_rules_out_is_refused(settings, words):
    with pytest.raises(CohortError, match=words):
        ahead(*settings)


def test_a_gpu_that_is_not_there_is_refused_and_one_that_may_be_there_is_not(monkeypatch):
    monkeypatch.setattr(outlook, "has_no_gpu", lambda: True)
    with pytest.raises(UsageError, match=r"compute.device=cpu"):
        ahead("compute.device=cuda")
    monkeypatch.setattr(outlook, "has_no_gpu", lambda: False)
    assert ahead("compute.device=cuda") is not None


def test_minutes_follow_from_runs_of_the_same_networks_beside_it(tmp_path):
    recipe = load_recipe("tiny-study")
    models = tmp_path / "earlier" / "models" / "severity" / "a" / "A4C"
    models.mkdir(parents=True)
    (models / "split-00.json").write_text('{"clips": 5, "history": [{"seconds": 60.0}]}')
    (tmp_path / "earlier" / "recipe.toml").write_text(recipe.to_toml())
    found = ahead(beside=tmp_path)
    assert found.minutes == pytest.approx(60 / 10 * found.sequences / 60, abs=0.1)
    assert ahead("sequences.k=5", beside=tmp_path).minutes is None


def test_no_torch_is_imported_to_look_ahead():
    body = (
        "import sys; from echokit.components.outlook import look_ahead; "
        "from echokit.recipe import load_recipe; look_ahead(load_recipe('ph-newborn', "
        "settings=['crossfit.folds=0'])); "
        "print([m for m in ('torch', 'pandas', 'sklearn', 'zarr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
