"""What README.md tells a reader to type, typed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def block(language: str, containing: str) -> str:
    """The one fenced block of a language that contains a text."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.S)
    (found,) = [text for text in blocks if containing in text]
    return found


def test_the_make_targets_it_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make (\w+)", README, re.M):
        assert re.search(rf"^{target}:", makefile, re.M)


def test_every_link_and_picture_leads_somewhere() -> None:
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "docs" / "index.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_it_says_what_echokit_is_not() -> None:
    assert "not a medical device" in README
    assert "synthetic" in README


def test_the_commands_it_shows_have_the_options_it_shows() -> None:
    import typer.main

    from echokit.cli import app

    command = typer.main.get_command(app)
    shown = re.findall(r"^echokit ([^#\n]+)", README, re.M)
    assert len(shown) >= 8
    for line in shown:
        words = line.split()
        node: Any = command
        while words and (below := getattr(node, "get_command", lambda *_: None)(None, words[0])):
            node = below
            words.pop(0)
        known = {name for parameter in node.params for name in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.fixture(scope="module")
def tiny3d(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """README's plugin, installed by pip into a folder of its own."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    plugin = block("python", "tiny3d")
    assert len([line for line in plugin.splitlines() if line.strip()]) <= 20
    (source / "echokit_tiny3d.py").write_text(plugin)
    (source / "pyproject.toml").write_text(block("toml", "echokit_tiny3d"))
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", *install, "--target", str(target), str(source)], check=True
    )
    return target


def test_its_plugin_is_found_and_keeps_the_contract(tiny3d: Path) -> None:
    code = (
        "from echokit.plugins.registry import registry; from echokit.testing import check_backbone;"
        "c = registry().find('backbone', 'tiny3d'); check_backbone(c.factory); print(c.owner)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(tiny3d)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "echokit-tiny3d:tiny3d"


def test_its_plugin_trains(tiny3d: Path, tmp_path: Path) -> None:
    settings = [
        "backbone=tiny3d",
        "data.patients=15",
        "data.size=64",
        "data.frames=14",
        "data.files=0",
        "data.machine=reference",
        "crossfit.folds=0",
        "compute.jobs=1",
        "test=false",
        "prepare.resize.size=32",
        "split.held_out=0.4",
        "train.epochs=1",
        "sequences.n=2",
        "evaluate.bootstrap=10",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "echokit", "run", "ph-newborn", "--json", "--out", tmp_path / "run"]
        + [word for setting in settings for word in ("--set", setting)],
        env=os.environ | {"PYTHONPATH": str(tiny3d)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["rows"]


def test_its_plugin_is_the_example_that_ships(tiny3d: Path) -> None:
    example = ROOT / "docs" / "examples" / "echokit-tiny3d"
    assert (example / "echokit_tiny3d.py").read_text("utf-8") == block("python", "tiny3d")
    assert (example / "pyproject.toml").read_text("utf-8") == block("toml", "echokit_tiny3d")
