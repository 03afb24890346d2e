"""What an accuracy benchmark compares: backbones, voting rules, explainers, on how many seeds."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from echokit.errors import UsageError, nearest
from echokit.plugins.registry import Kind, check_options, registry
from echokit.recipe import Slot
from echokit.recipe.settings import parse_setting


class Suite(BaseModel):
    """The definition of an accuracy benchmark, as a TOML file or the command line gives it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str = "ph-newborn"
    preset: str | None = None
    settings: tuple[str, ...] = ()
    """Overrides of the recipe, as `--set` takes them."""
    seeds: int = Field(1, ge=1)
    """Repeats from 0: each has its own splits, the same for every backbone, and weights."""
    backbone: dict[str, Slot]
    """Rows of the leaderboard by the name they have in it."""
    aggregator: dict[str, Slot]
    """Voting rules; the first is the one that the others are held against."""
    explainer: dict[str, Slot] = {}

    def check(self) -> None:
        """Check that every component is there and takes its options, and that settings count.

        Raises:
            PluginError: a component is not there, or does not take an option.
            UsageError: a setting is of a part that the suite itself puts into the recipe.
        """
        for text in self.settings:
            part = parse_setting(text)[0][0]
            if part in ("backbone", "explain"):
                table = {"explain": "explainer"}.get(part, part)
                raise UsageError(
                    f"--set {text} would be lost, for the benchmark sets {part} itself: write a "
                    f"suite with a table [{table}.NAME], and its options in it."
                )
        shape = {"num_classes": 2, "in_channels": 1}
        kinds: list[tuple[Kind, dict[str, Slot], dict[str, Any]]] = [
            ("backbone", self.backbone, shape),
            ("aggregator", self.aggregator, {}),
            ("explainer", self.explainer, {}),
        ]
        for kind, slots, given in kinds:
            for slot in slots.values():
                check_options(registry().find(kind, slot.use), given | slot.options)


def read_suite(path: Path, **changes: Any) -> Suite:
    """Read a suite's TOML file; what is not None in `changes` stands in its place.

    Raises:
        UsageError: the file is not there or not a suite.
    """
    if not path.is_file():
        raise UsageError(f"There is no suite at {path}.")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return Suite(**document | {k: v for k, v in changes.items() if v is not None})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        one = error.errors()[0]
        where = ".".join(map(str, one["loc"]))
        unknown = one["type"] == "extra_forbidden"
        advice = f" {nearest(where, Suite.model_fields)}" if unknown else ""
        raise UsageError(f"{path}, {where}: {one['msg']}.{advice}") from error


def slots(names: Sequence[str]) -> dict[str, Slot]:
    """Components by their names alone, with their options as they are by default."""
    return {name: Slot(use=name) for name in names}
