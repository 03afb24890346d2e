"""Echokit's wheel and two strangers' packages, installed where the checkout is not, to a result."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SMALL = [
    "backbone=tiny3d",
    "aggregate.view=trimmed-mean",
    "explain=smooth-gradient",
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


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment: wheels of ours and theirs; other libraries lent by this one.

    What is lent comes after the environment's own on the path, and its `.pth` files, which an
    editable echokit is found by, are not read.
    """
    place = tmp_path_factory.mktemp("clean")
    wheels = place / "wheels"
    for source in (ROOT, EXAMPLES / "echokit-tiny3d", EXAMPLES / "echokit-second-look"):
        build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(wheels), str(source)]
        subprocess.run([sys.executable, *build], check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "env")], check=True)
    python = place / "env" / "bin" / "python"
    asked = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", site]
    subprocess.run([sys.executable, *install, *map(str, wheels.glob("*.whl"))], check=True)
    (Path(site) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def run(python: Path, *words: str, where: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(python), *words],
        cwd=where,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_nothing_of_it_comes_from_the_checkout(clean, tmp_path):
    code = (
        "import echokit, echokit_voting, echokit_tiny3d, echokit_second_look as s;"
        "print(*(m.__file__ for m in (echokit, echokit_voting, echokit_tiny3d, s)), sep='\\n')"
    )
    done = run(clean, "-c", code, where=tmp_path)
    assert done.returncode == 0, done.stderr
    env = str(clean.parent.parent)
    assert all(line.startswith(env) for line in done.stdout.splitlines()), done.stdout


def test_the_strangers_are_listed_with_their_owners(clean, tmp_path):
    done = run(clean, "-m", "echokit", "plugins", "list", "--json", where=tmp_path)
    owners = {row["name"]: row["owner"] for row in json.loads(done.stdout)}
    assert owners["tiny3d"] == "echokit-tiny3d:tiny3d"
    assert owners["trimmed-mean"] == "echokit-second-look:second-look"
    assert owners["smooth-gradient"] == "echokit-second-look:second-look"
    assert owners["majority-vote"] == "echokit-cardiac:voting"


@pytest.mark.parametrize("example", ["echokit-tiny3d", "echokit-second-look"])
def test_their_own_tests_pass(clean, tmp_path, example):
    tests = str(EXAMPLES / example / "tests")
    done = run(clean, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests, where=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_run_of_their_parts_reaches_a_result(clean, tmp_path):
    words = [word for setting in SMALL for word in ("--set", setting)]
    out = tmp_path / "run"
    done = run(
        clean, "-m", "echokit", "run", "ph-newborn", "--json", "--out", str(out), *words,
        where=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["metrics"]["rows"]
    maps = json.loads((out / "saliency" / "index.json").read_text())["maps"]
    assert maps
    recipe = (out / "recipe.toml").read_text()
    assert 'use = "tiny3d"' in recipe
    assert 'use = "trimmed-mean"' in recipe
    assert (out / "report" / "index.html").is_file()
