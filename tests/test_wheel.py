"""The wheel that a user installs, outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


def test_it_holds_every_package_and_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package in (ROOT / "plugins").glob("echokit_*"):
        assert f"{package.name}/__init__.py" in names
    assert "echokit_ph_newborn/recipe.toml" in names
    templates = {
        f"echokit/report/templates/{path.name}"
        for path in (ROOT / "echokit" / "report" / "templates").iterdir()
    }
    assert templates <= names
    assert not [name for name in names if name.startswith(("tests/", "plugins/", "docs/"))]


def test_it_works_where_the_checkout_is_not(wheel: Path, tmp_path: Path) -> None:
    install = ["pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "site")]
    subprocess.run([sys.executable, "-m", *install, str(wheel)], check=True)
    code = (
        "import echokit, echokit_phantom; from echokit.recipe import load_recipe;"
        "load_recipe('ph-newborn').check_components();"
        "print(echokit.__file__, echokit_phantom.__file__, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert all(line.startswith(str(tmp_path)) for line in done.stdout.splitlines())
