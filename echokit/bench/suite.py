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


class Suite(BaseModel):
    """An accuracy benchmark, from a TOML file or the command line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str = "ph-newborn"
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
        replaced = {key: value for key, value in changes.items() if value is not None}
        return Suite.model_validate(document | replaced)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        unknown = first["type"] == "extra_forbidden"
        advice = f" {nearest(key, Suite.model_fields)}" if unknown else ""
        raise UsageError(f"{path}, {key}: {first['msg']}.{advice}") from error


def slots(names: Sequence[str]) -> dict[str, Slot]:
    """Make slots of components by name, with default options."""
    return {name: Slot(use=name) for name in names}
