"""Define an accuracy benchmark: its backbones, voting rules, explainers and seeds."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from echokit.errors import UsageError, nearest
from echokit.plugins.registry import Kind, check_options, registry
from echokit.recipe import Slot
from echokit.recipe.settings import parse_setting

SUITE = "suite.toml"
"""The file in which a recipe's plugin brings a suite."""


class Suite(BaseModel):
    """An accuracy benchmark, from a TOML file or the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    preset: str | None = None
    settings: tuple[str, ...] = ()
    """Settings of the recipe, as `--set` takes them."""
    seeds: int = Field(1, ge=1)
    """Number of seeds, from 0; each has its own splits, the same for all backbones."""
    backbone: dict[str, Slot]
    """Backbones by their name in the leaderboard."""
    aggregator: dict[str, Slot]
    """Voting rules by name; the others are compared with the first."""
    explainer: dict[str, Slot] = {}
    """Explainers by name."""

    def check(self) -> None:
        """Check the components and their options, and that no setting is ignored.

        Raises:
            PluginError: a component does not exist, or does not take an option.
            UsageError: a setting changes a part that the suite itself sets.
        """
        for text in self.settings:
            part = parse_setting(text)[0][0]
            if part in ("backbone", "explain"):
                table = {"explain": "explainer"}.get(part, part)
                raise UsageError(
                    f"--set {text} would have no effect, because the benchmark sets {part} itself: "
                    f"write a suite with a table [{table}.NAME] that holds the options."
                )
        shape: dict[str, object] = {"num_classes": 2, "in_channels": 1}
        kinds: list[tuple[Kind, dict[str, Slot], dict[str, object]]] = [
            ("backbone", self.backbone, shape),
            ("aggregator", self.aggregator, {}),
            ("explainer", self.explainer, {}),
        ]
        for kind, slots, arguments in kinds:
            for slot in slots.values():
                check_options(registry().find(kind, slot.use), arguments | slot.options)


def read_suite(path: Path, **changes: object) -> Suite:
    """Read a suite from a TOML file; values of `changes` other than None replace its own.

    Raises:
        UsageError: the file does not exist or is not a suite.
    """
    if not path.is_file():
        raise UsageError(f"There is no suite at {path}.")
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        document |= {key: value for key, value in changes.items() if value is not None}
        if "recipe" not in document:
            document["recipe"], _ = brought_suite(None)
        return Suite.model_validate(document)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        unknown = first["type"] == "extra_forbidden"
        advice = f" {nearest(key, Suite.model_fields)}" if unknown else ""
        raise UsageError(f"{path}, {key}: {first['msg']}.{advice}") from error


def brought_suite(recipe: str | None) -> tuple[str, Path]:
    """Find the suite that a recipe's plugin brings: `suite.toml` beside the recipe's file.

    Args:
        recipe: name of the recipe; where it brings none, or is None, the only recipe that does.

    Returns:
        The recipe that brings it, and the file.

    Raises:
        UsageError: no recipe brings one, or several do.
    """
    brought: dict[str, Path] = {}
    for component in registry().of_kind("recipe"):
        path: Path = component.factory.with_name(SUITE)
        if path.is_file():
            brought[component.name] = path
    if recipe in brought:
        brought = {recipe: brought[recipe]}
    if len(brought) != 1:
        which = f" of {', '.join(brought)}" if brought else ""
        raise UsageError(
            f"Say what to compare: --suite FILE, or --recipe{which}, --backbone and --aggregator."
        )
    return next(iter(brought.items()))


def slots(names: Sequence[str]) -> dict[str, Slot]:
    """Make slots of components by name, with default options."""
    return {name: Slot(use=name) for name in names}
