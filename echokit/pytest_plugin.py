"""Fixtures for a plugin's own tests, found by pytest where echokit is installed.

This module is loaded at every start of pytest, so it imports nothing but pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from echokit.plugins.registry import Registry
    from echokit.types import Clip, Votes


@pytest.fixture
def echo_clip() -> Callable[..., Clip]:
    """Makes a small moving clip with a sector; arguments as `echokit.testing.tiny_clip`."""
    from echokit.testing.clips import tiny_clip

    return tiny_clip


@pytest.fixture
def echo_votes() -> Callable[..., Votes]:
    """Makes votes; arguments as `echokit.testing.tiny_votes`."""
    from echokit.testing.clips import tiny_votes

    return tiny_votes


@pytest.fixture
def echo_cohort(tmp_path: Path) -> Path:
    """A folder of eight clips of four patients, two views, grades 0 and 2, with a manifest.

    `echokit run RECIPE --data` and the loader `files` read it.
    """
    import numpy as np

    from echokit.testing.clips import tiny_clip

    folder = tmp_path / "echo-cohort"
    folder.mkdir()
    lines = ["clip,patient,view,file,grade"]
    for number in range(4):
        for view in ("A4C", "PLAX"):
            clip = f"p{number}-{view}"
            frames = tiny_clip(20, seed=number, known=False).frames
            np.save(folder / f"{clip}.npy", frames)
            lines.append(f"{clip},p{number},{view},{clip}.npy,{2 * (number % 2)}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


@pytest.fixture
def isolated_plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The process's registry with no installed plugin in it, to `add` some; as it was afterwards.

    ```python
    isolated_plugins.add(my_module, "echokit-mine:mine")
    ```
    """
    from echokit.plugins import registry as plugins

    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    plugins.registry.cache_clear()
    yield plugins.registry()
    plugins.registry.cache_clear()
