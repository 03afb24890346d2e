"""docs/plugins: what it tells by code is true, its code runs, its links lead somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from echokit import hookspecs, resolve
from echokit.plugins.registry import KINDS, registry
from echokit.testing import CONTRACTS, judge, rules

DOCS = Path(__file__).parents[2] / "docs" / "plugins"
TUTORIAL = (DOCS / "index.md").read_text("utf-8")


def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def test_the_pages_tell_the_hooks_and_rules_of_today():
    behind = [path.name for path, text in reference().pages().items() if path.read_text() != text]
    assert behind == [], "type python docs/plugins/reference.py"


def test_every_hook_is_documented_and_exercised():
    hooks = {name for name in vars(hookspecs) if name.startswith("register_")}
    assert hooks == {f"register_{kind}s" for kind in KINDS}
    page = (DOCS / "hooks.md").read_text("utf-8")
    for kind in KINDS:
        assert f"## `register_{kind}s(" in page
        assert (DOCS / f"{kind}.md").is_file()
        assert list(registry().of_kind(kind)), f"nobody implements register_{kind}s"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda p: p.stem)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_the_tutorial_typed_from_nothing_ends_in_a_passing_plugin(tmp_path):
    """Its commands in their order, its two files, its own check and tests, and a run."""
    commands = [line for block in blocks(TUTORIAL, "console") for line in block.splitlines()]
    plugin, suite = blocks(TUTORIAL, "python")
    site = tmp_path / "site"
    first = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": first}

    def typed(line: str) -> str:
        words = line.replace('"', "").split()
        if words[0] == "pip":  # into a folder of its own, not into this environment
            words[1:] = ["install", "--quiet", "--no-deps", "--no-build-isolation"]
            words += ["--target", str(site), "./echokit-tiny3d"]
        small = []
        if words[:2] == ["echokit", "run"]:
            small = ["data.patients=15", "data.size=64", "data.frames=14", "data.files=0"]
            small += ["prepare.resize.size=32", "split.held_out=0.4", "train.epochs=1"]
            small += ["sequences.n=2", "evaluate.bootstrap=10", "data.machine=reference"]
            small += ["test=false", "crossfit.folds=0", "compute.jobs=1"]
        more = [word for setting in small for word in ("--set", setting)]
        done = subprocess.run(
            [sys.executable, "-m", *words, *more],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    new, install, *others = commands
    typed(new)
    (tmp_path / "echokit-tiny3d" / "echokit_tiny3d" / "__init__.py").write_text(plugin)
    (tmp_path / "echokit-tiny3d" / "tests" / "test_tiny3d.py").write_text(suite)
    typed(install)
    told = [typed(line) for line in others if "--set backbone.width" not in line]
    assert "tiny3d" in told[0]
    assert "It keeps its contract." in told[2]
    total = len(list(rules(CONTRACTS["backbone"])))
    assert f"{total} passed" in typed("pytest -q -p no:cacheprovider echokit-tiny3d")


@pytest.mark.parametrize("kind", ["writer", "executor", "command"])
def test_the_plugin_on_a_page_keeps_its_contract_and_is_used_as_the_page_says(
    kind, isolated_plugins, tmp_path, monkeypatch
):
    plugin, *uses = blocks((DOCS / f"{kind}.md").read_text("utf-8"), "python")
    module = ModuleType("on_the_page")
    exec(compile(plugin, f"{kind}.md", "exec"), vars(module))
    isolated_plugins.add(module, "echokit-page:page")
    for component in isolated_plugins.of_kind(kind):
        suite = CONTRACTS[kind].of(partial(resolve, kind, component.full_name))
        assert [v.rule for v in judge(suite) if v.broken] == []
    monkeypatch.chdir(tmp_path)
    for use in uses:
        exec(compile(use, f"{kind}.md", "exec"), {})


def test_every_block_of_python_is_python():
    for page in DOCS.glob("*.md"):
        for block in blocks(page.read_text("utf-8"), "python"):
            compile(block, page.name, "exec")
