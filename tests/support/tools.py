"""Programs that tests need and pip does not install."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def needs(program: str, package: str) -> str:
    """Return a program's path, or skip the test; CI installs all of them, and must not skip."""
    if not Path(program).exists() and not os.environ.get("CI"):
        pytest.skip(f"{program} is not installed: apt-get install {package}")
    return program
