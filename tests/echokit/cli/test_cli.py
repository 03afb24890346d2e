"""The command line: help everywhere, errors in one line with exit code 2, JSON where asked."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import warnings

import pytest

from echokit import (
    ClipError,
    CohortError,
    RecipeError,
    TrainingError,
    UsageError,
    __version__,
)
from echokit.cli import main
from echokit.plugins.registry import KINDS

COMMANDS = [
    (),
    ("run",),
    ("predict",),
    ("report",),
    ("recipes",),
    ("plugins",),
    ("plugins", "list"),
    ("plugins", "show"),
    ("data",),
    ("data", "check"),
    ("doctor",),
]

pytestmark = pytest.mark.usefixtures("tiny_plugin")


@pytest.fixture
def echokit(monkeypatch, capfd, tmp_path):
    """Run a command in an empty folder; return its exit code, standard output and error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main sets its own

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["echokit", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, *capfd.readouterr()

    return call


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help(echokit, command):
    code, out, err = echokit(*command, "--help")
    assert (code, err) == (0, "")
    assert re.search(rf"Usage: .*{' '.join(command)}.*\[OPTIONS\]", out)
    assert len(out.splitlines()) > 5


REFUSED = {
    "recipe": ("run", "tiny-studi"),
    "recipe file": ("run", "gone.toml"),
    "no recipe": ("run",),
    "preset": ("run", "tiny-study", "--preset", "fats"),
    "config": ("run", "tiny-study", "--config", "gone.toml"),
    "key": ("run", "tiny-study", "--set", "trian.epochs=1"),
    "value": ("run", "tiny-study", "--set", "train.epochs=none"),
    "seed": ("run", "tiny-study", "--seed", "-1"),
    "component": ("run", "tiny-study", "--set", "backbone=tiny3"),
    "option": ("run", "tiny-study", "--set", "backbone.widht=8"),
    "resume": ("run", "--resume", "."),
    "resume and recipe": ("run", "tiny-study", "--resume", "."),
    "report": ("report", "gone"),
    "run to predict with": ("predict", "gone", "."),
    "plugin": ("plugins", "show", "tiny-vot"),
    "kind": ("plugins", "list", "--kind", "backbones"),
    "data": ("data", "check", "gone"),
    "loader": ("data", "check", ".", "--loader", "tinny"),
}


@pytest.mark.parametrize("arguments", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(echokit, tmp_path, arguments):
    code, out, err = echokit(*arguments)
    assert code == 2
    assert out == ""
    assert re.fullmatch(r"error: [^\n]{20,}\n", err), err
    assert not (tmp_path / "runs").exists(), "a run was begun"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("recipe", "did you mean 'tiny-study'"),
        ("preset", "did you mean 'fast'"),
        ("key", "did you mean 'train'"),
        ("option", "did you mean 'width'"),
        ("component", "did you mean 'tiny3d'"),
        ("plugin", "did you mean 'tiny-vote'"),
        ("kind", "did you mean 'backbone'"),
        ("loader", "did you mean 'tiny'"),
        ("resume", "is not a run: it has no run.json and recipe.toml"),
        ("no recipe", "`echokit recipes` lists recipes"),
    ],
)
def test_an_error_says_what_to_type_instead(echokit, name, words):
    assert words in echokit(*REFUSED[name])[2]


@pytest.mark.parametrize("arguments", [("rnu",), ("run", "--prest", "x"), ("run", "--seed", "x")])
def test_a_mistyped_command_or_flag_is_exit_code_2_without_a_traceback(echokit, arguments):
    code, out, err = echokit(*arguments)
    assert (code, out) == (2, "")
    assert "Usage:" in err
    assert "Traceback" not in err


def test_an_error_with_brackets_is_printed_as_it_is(echokit):
    assert "'[bold]x'" in echokit("plugins", "show", "[bold]x")[2]


def kinds_in(registry) -> list[str]:
    """The kinds that have a component, in order."""
    return [kind for kind in KINDS if any(registry.of_kind(kind))]


def test_plugins_are_listed_by_kind_with_their_strange_owner(echokit, tiny_plugin):
    code, out, _ = echokit("plugins", "list")
    assert code == 0
    assert [line for line in out.splitlines() if line.rstrip("s") in KINDS] == [
        f"{kind}s" for kind in kinds_in(tiny_plugin)
    ]
    assert "[echokit-tiny:tiny]" in out


def test_plugins_are_listed_as_json(echokit, tiny_plugin):
    code, out, _ = echokit("plugins", "list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert [row["kind"] for row in listed] == kinds_in(tiny_plugin)
    [backbone] = [row for row in listed if row["kind"] == "backbone"]
    assert backbone["name"] == "tiny3d"
    assert (backbone["owner"], backbone["version"]) == ("echokit-tiny:tiny", "1.0")
    assert {"name": "width", "type": "int", "default": "8"} in backbone["options"]
    assert json.loads(echokit("plugins", "list", "--kind", "loader", "--json")[1]) == listed[:1]


def test_one_component_is_shown_with_its_options(echokit):
    out = echokit("plugins", "show", "echokit-tiny/tiny3d")[1]
    assert "dropout: float = 0.0" in out
    assert "Two 3D convolutions" in out
    [shown] = json.loads(echokit("plugins", "show", "tiny-study", "--json")[1])
    assert (shown["kind"], shown["options"]) == ("recipe", [])


def test_recipes_are_listed_with_their_presets_and_shown_with_every_key(echokit):
    assert "presets: fast (default), slow" in echokit("recipes")[1]
    assert echokit("recipes", "list") == echokit("recipes")
    code, out, _ = echokit("recipes", "show", "tiny-study", "--set", "train.epochs=7")
    shown = tomllib.loads(out)
    assert (code, shown["train"]["epochs"], shown["sequences"]["k"]) == (0, 7, 4)


def test_the_version_is_printed(echokit):
    assert echokit("--version") == (0, f"echokit {__version__}\n", "")


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError, 2), (RecipeError, 2), (ClipError, 3), (CohortError, 3), (TrainingError, 4)],
)
def test_an_error_has_the_exit_code_of_its_kind(echokit, monkeypatch, error, code):
    def fail(*_: object) -> None:
        raise error("no")

    monkeypatch.setattr("echokit.plugins.registry.Registry.of_kind", fail)
    assert echokit("recipes", "list")[0] == code


def test_a_dry_run_says_what_a_run_would_do_and_writes_nothing(echokit, tmp_path):
    code, out, _ = echokit("run", "tiny-study", "--dry-run")
    assert code == 0
    assert "Cohort: 20 clips of 10 patients (A4C 10, PLAX 10); 1 file left out" in out
    assert "none 5, severe 5 patients; 2 splits of 6 training and 4 held-out patients" in out
    assert "Networks: 4, and 0 inner ones" in out
    told = json.loads(echokit("run", "tiny-study", "--dry-run", "--json")[1])
    assert (told["networks"], told["reasons"]) == (4, {"it is not a clip": 1})
    assert {path.name for path in tmp_path.iterdir()} == {"tiny.toml"}


def test_a_run_that_cannot_be_carried_out_is_refused_before_anything_is_read(
    echokit, tmp_path, parts
):
    for setting in ("split.splits=900", "crossfit.folds=4", "tasks.severity.column=score"):
        words = ("--set", "split.method=k-fold", "--set", setting)
        code, _, err = echokit("run", "tiny-study", *words)
        assert (code, err.count("\n")) == (3, 1), err
    assert echokit("run", "tiny-study", "--data", "")[0] == 2
    assert parts.TinyLoader.reads == {}
    assert not (tmp_path / "runs").exists()


def test_data_is_checked_as_json_with_every_file(echokit, tmp_path):
    code, out, _ = echokit("data", "check", tmp_path, "--loader", "tiny", "--json")
    report = json.loads(out)
    assert code == 0
    assert [row["file"] for row in report["files"]][:2] == ["notes.txt", "p00-A4C"]
    assert (report["summary"]["used"], report["summary"]["rejected"]) == (10, 1)
    assert echokit("data", "check", tmp_path, "--loader", "tiny")[1].count("16×16") == 10


def test_the_doctor_lists_versions_and_broken_plugins(echokit, tiny_plugin):
    tiny_plugin.problems.append("Plugin echokit-bad:bad is not used: [red] ImportError")
    facts = json.loads(echokit("doctor", "--json")[1])
    assert facts["components"] == {
        kind: len(list(tiny_plugin.of_kind(kind))) for kind in facts["components"]
    }
    assert set(facts["components"]) >= {"loader", "backbone", "aggregator"}
    assert facts["problems"] == tiny_plugin.problems
    out = echokit("doctor")[1]
    assert "echokit-bad:bad is not used: [red] ImportError" in out


def test_the_doctor_names_a_torch_that_is_missing(echokit, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    facts = json.loads(echokit("doctor", "--json")[1])
    assert (facts["torch"], facts["machine"]["device"]) == (None, "cpu")
    assert "torch missing" in echokit("doctor")[1]


QUICK = ("--set", "train.n=1", "--set", "split.splits=1", "--set", "explain=false", "--seed", "4")


def test_a_run_is_carried_out_named_and_gone_on_with(echokit, tmp_path):
    code, out, _ = echokit("run", "tiny-study", *QUICK, "--json")
    result = json.loads(out)
    assert (code, result["run"]) == (0, "runs/tiny-study")
    assert result["metrics"]["synthetic"] is True
    assert "seed = 4" in (tmp_path / "runs" / "tiny-study" / "recipe.toml").read_text()
    assert (tmp_path / result["report"]).is_file()
    code, out, _ = echokit("run", "--resume", "runs/tiny-study", "--json")
    assert (code, json.loads(out)["metrics"]) == (0, result["metrics"])
    code, _, err = echokit("run", "tiny-study", *QUICK, "--out", "runs/tiny-study")
    assert code == 2
    assert "--resume runs/tiny-study" in err
    code, out, err = echokit("report", "runs/tiny-study")
    assert (code, err) == (0, "")


def test_a_saved_recipe_repeats_its_run(echokit, tmp_path):
    first = json.loads(echokit("run", "tiny-study", *QUICK, "--json")[1])
    again = json.loads(echokit("run", "runs/tiny-study/recipe.toml", "--json")[1])
    assert again["run"] == "runs/tiny-study-2"
    assert again["metrics"] == first["metrics"]


def test_ones_own_data_go_through_the_studys_loader(echokit, tmp_path):
    code, _, err = echokit("run", "tiny-study", "--data", "nowhere", "--out", "mine", "--quiet")
    assert (code, err) == (3, "error: there is nothing at nowhere\n")


def test_a_resume_that_fails_leaves_the_run_as_it_was(echokit, tmp_path):
    _, out, _ = echokit("run", "tiny-study", *QUICK, "--json")
    folder = tmp_path / json.loads(out)["run"]
    recipe = (folder / "recipe.toml").read_text().replace('use = "tiny"', 'use = "gone"', 1)
    (folder / "recipe.toml").write_text(recipe)
    assert echokit("run", "--resume", folder)[0] == 2
    assert {"recipe.toml", "run.json", "environment.json", "models"} <= {
        path.name for path in folder.iterdir()
    }


def test_a_value_that_a_component_chokes_on_is_one_line(echokit, tmp_path):
    for words in (("--set", "presets=3"), ("--set", "# =5"), ("--set", "tasks.ph.enabled=false")):
        code, _, err = echokit("run", "tiny-study", *words)
        assert (code, err.count("\n")) == (2, 1), err
    assert not (tmp_path / "runs").exists()
