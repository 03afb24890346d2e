"""What is in a bundle: `bundle.json`, which names every other file with its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.errors import DamagedError, UsageError
from echokit.system.checked import damaged, read_json
from echokit.system.files import write_json
from echokit.system.paths import resolve_below
from echokit.system.signatures import sign_file, verify_file
from echokit.types import Clip

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Float32

    from echokit.clips.sequences import SequenceSpec

NAME = "bundle.json"
SIGNATURE = "bundle.json.sig"
"""In a signed bundle: the signature of `bundle.json`, which names all other files."""
SUFFIX = ".echokit"
SCHEMA = 1
DIGITS = 12
"""Of the digest that a bundle's name ends with."""
FORMS: Mapping[str, type | tuple[type, ...]] = {
    "echokit": str,
    "format": str,
    "run": str,
    "recipe": str,
    "task": str,
    "approach": str,
    "classes": list,
    "synthetic": (bool, type(None)),
    "views": dict,
    "records": dict,
    "files": dict,
}
"""Key of `bundle.json` -> the form of its value."""
NETWORK: Mapping[str, type] = {"file": str, "shape": list, "logits": list, "agreement": list}
"""Key of what `bundle.json` says of a view's network -> the form of its value."""


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
        UsageError: the bundle is of a later echokit, or a file is missing, changed, added or
            outside it, which the message names.
    """
    name = folder.resolve().name
    digest = _digest(folder / NAME)[:DIGITS]
    if not name.removesuffix(SUFFIX).endswith(digest):
        raise UsageError(
            f"{folder / NAME} was changed, or its folder renamed: by its content the name ends "
            f"with {digest}{SUFFIX}. Export the bundle again, or give the folder its name back."
        )
    manifest: dict[str, Any] = read_json(folder / NAME, "schema", "echokit")
    if manifest["schema"] != SCHEMA:
        raise UsageError(
            f"{folder} was exported by echokit {manifest['echokit']}: upgrade echokit."
        )
    _check_form(folder / NAME, manifest, FORMS)
    for file, expected in manifest["files"].items():
        resolve_below(folder, file, folder / NAME)
        if not (folder / file).is_file():
            raise UsageError(f"{folder / file} is missing. Copy the bundle again, whole.")
        if _digest(folder / file) != expected:
            raise UsageError(
                f"{folder / file} is not what was exported: its digest differs from that in "
                f"{NAME}. Copy the bundle again, or export it again."
            )
    _refuse_added(folder, manifest["files"])
    _check_networks(folder, manifest)
    return manifest


def sign(folder: Path, key: str | PathLike[str]) -> None:
    """Sign a sealed bundle: its `bundle.json`, and with it the digest of every other file.

    Raises:
        UsageError: the key cannot be used.
    """
    sign_file(folder / NAME, folder / SIGNATURE, key)


def verify(folder: Path, key: str | PathLike[str]) -> None:
    """Check that `bundle.json` is what the owner of a key signed; `unseal` checks the other files.

    Raises:
        UsageError: the folder is no bundle, its signature is not that of the key, or the key
            cannot be used.
    """
    if not is_bundle(folder):
        raise UsageError(
            f"{folder} is no bundle, and only bundles are signed: leave --verify out, or export "
            "the run first with `echokit export RUN --sign KEY`."
        )
    verify_file(folder / NAME, folder / SIGNATURE, key)


def _check_form(path: Path, document: Mapping[str, Any], forms: Mapping[str, Any]) -> None:
    for key, form in forms.items():
        if key not in document:
            raise damaged(path, f"it lacks {key!r}")
        if not isinstance(document[key], form):
            raise damaged(path, f"its {key!r} is {document[key]!r}"[:100])


def _refuse_added(folder: Path, files: Mapping[str, str]) -> None:
    """Refuse files that have no digest: some are read if they are there."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and name not in (NAME, SIGNATURE, *files):
            raise DamagedError(f"{path} was added to the bundle after its export: remove it.")


def _check_networks(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Check that each network is a sealed file of the bundle and has a logit for each label."""
    path, labels = folder / NAME, len(manifest["classes"])
    if labels < 2 or not all(isinstance(name, str) for name in manifest["classes"]):
        raise damaged(path, f"its 'classes' are {manifest['classes']!r}")
    for view, facts in manifest["views"].items():
        if not isinstance(facts, dict):
            raise damaged(path, f"of the view {view!r} it says {facts!r}"[:100])
        _check_form(path, facts, NETWORK)
        resolve_below(folder, facts["file"], path)
        if facts["file"] not in manifest["files"]:
            raise damaged(path, f"the network {facts['file']!r} of {view!r} has no digest there")
        rows = facts["logits"]
        if not rows or any(not isinstance(row, list) or len(row) != labels for row in rows):
            raise damaged(path, f"the network of {view!r} does not have {labels} labels' logits")
        if any(isinstance(size, bool) or not isinstance(size, int) for size in facts["shape"]):
            raise damaged(path, f"its shape of {view!r} is {facts['shape']!r}")


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
