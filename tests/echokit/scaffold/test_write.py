"""`echokit plugins new`: what it writes installs, keeps its contract and passes its own tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from echokit.errors import UsageError
from echokit.plugins.registry import KINDS
from echokit.scaffold import write_plugin
from echokit.testing import CONTRACTS, rules

pytestmark = pytest.mark.slow

PIP = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]


def run(*words: str, path: Path, where: Path) -> subprocess.CompletedProcess[str]:
    first = os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | {"PYTHONPATH": first},
        cwd=where,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One new plugin of every kind, and where pip installed them."""
    source, site = tmp_path_factory.mktemp("new"), tmp_path_factory.mktemp("site")
    folders = [write_plugin(f"my-{kind}", kind, source) for kind in KINDS]
    install = [*PIP, "--target", str(site), *map(str, folders)]
    subprocess.run([sys.executable, *install], check=True)
    return source, site


def test_its_own_tests_pass_for_every_kind(every_kind):
    source, site = every_kind
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(source), path=site, where=source)
    total = sum(len(list(rules(CONTRACTS[kind]))) for kind in KINDS)
    assert f"{total} passed" in done.stdout, done.stdout


def test_every_kind_is_listed_with_its_owner_and_keeps_its_contract(every_kind):
    source, site = every_kind
    listed = run("-m", "echokit", "plugins", "list", path=site, where=source).stdout
    for kind in KINDS:
        assert f"my-{kind}" in listed
    for kind in ("aggregator", "transform", "recipe", "writer", "executor", "command"):
        done = run("-m", "echokit", "plugins", "check", f"my-{kind}", path=site, where=source)
        assert done.returncode == 0, done.stdout
        assert f"{kind} of echokit-my-{kind}:my-{kind} 0.1.0" in done.stdout


@pytest.mark.parametrize(
    "command", [["check", "--select", "E,F,W,I,UP,B,C4,SIM"], ["format", "--check"]]
)
def test_what_it_writes_is_tidy(every_kind, command):
    source, _ = every_kind
    words = [*command, "--isolated", "--line-length", "100", str(source)]
    done = run("-m", "ruff", *words, path=source, where=source)
    assert done.returncode == 0, done.stdout


def test_a_backbone_is_some_twenty_lines(every_kind):
    source, _ = every_kind
    text = (source / "echokit-my-backbone" / "echokit_my_backbone" / "__init__.py").read_text()
    body = text.split('"""')[0::2]
    code = [line for part in body for line in part.splitlines() if line.strip()]
    assert len(code) <= 26


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("Tiny3D", "backbone", "cannot name a plugin: use lower-case letters"),
        ("../tiny", "backbone", "cannot name a plugin"),
        ("tiny--3d", "backbone", "cannot name a plugin"),
        ("tiny3d", "backbon", "did you mean 'backbone'"),
        ("majority-vote", "aggregator", "echokit-cardiac:voting already registers the aggregator"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path, name, kind, says):
    with pytest.raises(UsageError, match=says):
        write_plugin(name, kind, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    folder = write_plugin("mine", "explainer", tmp_path)
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError, match="already exists"):
        write_plugin("echokit-mine", "explainer", tmp_path)
    assert sorted(folder.rglob("*")) == before


def test_the_command_says_what_to_type_next(tmp_path):
    done = run(
        "-m",
        "echokit",
        "plugins",
        "new",
        "tiny9",
        "--kind",
        "backbone",
        path=tmp_path,
        where=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for words in ("pip install -e", "echokit plugins check tiny9", "--set backbone=tiny9"):
        assert words in done.stdout
