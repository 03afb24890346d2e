"""The figures of each epoch of a network that is being trained, as JSON lines beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from echokit.system.files import write_text

if TYPE_CHECKING:
    from echokit.networks.checkpoint import Epoch

EPOCHS = ".epochs.jsonl"
"""End of the name of the file while a network is trained; later its description has them."""


def write_epochs(path: Path, history: Sequence[Epoch]) -> None:
    """Write a line of JSON for each epoch: `epoch`, `loss`, `accuracy`, `lr`, `seconds`."""
    rows = [{k: v for k, v in asdict(epoch).items() if k != "input_shape"} for epoch in history]
    write_text(path, "".join(f"{json.dumps(row)}\n" for row in rows))


def read_epochs(models: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the epochs of every network below `models/`, trained or being trained.

    Returns:
        Path of the network below the folder, without suffix -> a row for each epoch.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(models.rglob("split-*.json*")):
        try:
            text = path.read_text("utf-8")
            whole = path.name.endswith(EPOCHS)
            rows = (
                [json.loads(line) for line in text.splitlines()]
                if whole
                else json.loads(text)["history"]
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
        name = path.name.removesuffix(EPOCHS).removesuffix(".json")
        found[(path.parent.relative_to(models) / name).as_posix()] = rows
    return found
