"""What is in a bundle: `bundle.json`, which names every other file with its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from echokit.errors import UsageError
from echokit.system.files import read_json, write_json
from echokit.types import Clip

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from echokit.clips.sequences import SequenceSpec

NAME = "bundle.json"
SUFFIX = ".echokit"
SCHEMA = 1
DIGITS = 12
"""Of the digest that a bundle's name ends with."""


def is_bundle(path: Path) -> bool:
    """Whether a folder is a bundle, or was one."""
    return (path / NAME).is_file()


def seal(folder: Path, facts: Mapping[str, Any]) -> str:
    """Write `bundle.json`: the facts, and the digest of every file that is there.

    Returns:
        The bundle's own digest, that of `bundle.json`.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): _digest(path) for path in files}
    write_json(folder / NAME, {"schema": SCHEMA, **facts, "files": digests})
    return _digest(folder / NAME)[:DIGITS]


def unseal(folder: Path) -> dict[str, Any]:
    """Read `bundle.json` once it is certain that no file of the bundle was changed.

    Raises:
        UsageError: the bundle is of a later echokit, or a file is missing or changed, which the
            message names.
    """
    name = folder.resolve().name
    digest = _digest(folder / NAME)[:DIGITS]
    if not name.removesuffix(SUFFIX).endswith(digest):
        raise UsageError(
            f"{folder / NAME} was changed, or its folder renamed: by its content the name ends "
            f"with {digest}{SUFFIX}. Export the bundle again, or give the folder its name back."
        )
    manifest: dict[str, Any] = read_json(folder / NAME)
    if manifest["schema"] != SCHEMA:
        raise UsageError(
            f"{folder} was exported by echokit {manifest['echokit']}: upgrade echokit."
        )
    for file, expected in manifest["files"].items():
        if PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts:
            raise UsageError(f"{folder / NAME} names {file}, which is outside the bundle.")
        if not (folder / file).is_file():
            raise UsageError(f"{folder / file} is missing. Copy the bundle again, whole.")
        if _digest(folder / file) != expected:
            raise UsageError(
                f"{folder / file} is not what was exported: its digest differs from that in "
                f"{NAME}. Copy the bundle again, or export it again."
            )
    return manifest


def probe(shape: tuple[int, ...], spec: SequenceSpec) -> Float32[np.ndarray, "2 1 k H W"]:
    """Two sequences of noise, the same everywhere: what engines are compared on without torch.

    Args:
        shape: `(1, k, H, W)`.
        spec: normalises them as it does any sequence.
    """
    import numpy as np

    # numpy promises that this stream never changes
    noise = np.random.RandomState(0).randint(0, 256, (2, *shape[1:]), dtype=np.uint8)
    return np.stack([spec.plain(Clip(frames=frames)) for frames in noise])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
