"""The contract of a recipe: valid under every preset, and what it uses is there and works."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from echokit.components.trial import try_components
from echokit.errors import nearest
from echokit.plugins.registry import registry
from echokit.plugins.renamed import renamed_options
from echokit.recipe import load_recipe
from echokit.testing.contracts.rules import attempt, expect
from echokit.testing.contracts.suite import Contract, keep


def check_recipe(path: Path) -> None:
    """Check that a recipe can be parsed, and that every `use` names an installed component.

    An option that the named component does not take is refused too.

    Args:
        path: the recipe's TOML file.

    Raises:
        ContractError: the contract is broken; the message says how.
    """
    keep(RecipeContract.of(lambda: path))


class RecipeContract(Contract):
    """A recipe is not made but found: the path of its TOML file; see this module."""

    kind = "recipe"

    def test_parts(self) -> None:
        """Its TOML can be read, and every `use` names an installed component and its options."""
        _check_parts(self.make())

    def test_presets(self) -> None:
        """It is valid as it stands and under every preset."""
        path = self.make()
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        for preset in document.get("presets", {None: None}):
            with attempt(f"Resolving the preset {preset!r}" if preset else "Resolving the recipe"):
                load_recipe(str(path), preset=preset).check_components()

    def test_dry_run(self) -> None:
        """Every component that its default preset uses can be made."""
        with attempt("Making the recipe's components"):
            try_components(load_recipe(str(self.make())))


def _check_parts(path: Path) -> None:
    with attempt(f"Reading the recipe {str(path)!r}"):
        recipe = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    slots = list(_slots(recipe, ""))
    expect(slots, f"The recipe {str(path)!r} uses nothing: a slot is a table with a key `use`.")
    components = registry().components
    for where, slot in slots:
        name = str(slot["use"])
        bare = name.rpartition("/")[2]
        named = [c for c in components if c.kind != "recipe" and c.name == bare]
        expect(
            named,
            f"[{where}] uses {name!r}, which no installed plugin has: "
            f"{nearest(bare, {c.name for c in components if c.kind != 'recipe'})}",
        )
        valid = {option for component in named for option in component.options}
        old = {option for component in named for option in renamed_options(component.factory)}
        for option in slot:
            expect(
                option == "use" or option in valid | old or _takes_any(named),
                f"[{where}] gives {name!r} the option {option!r}: {nearest(option, valid)}",
            )


def _slots(table: dict[str, Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(table.get("use"), str):  # views.use is a list of views, not a slot
        yield where, table
        return
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _slots(value, f"{where}.{key}".lstrip("."))


def _takes_any(named: list[Any]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for c in named for p in c.options.values())
