"""Resolve the recipe of a new run, and keep the paths of a user's own data out of it."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from echokit.errors import UsageError
from echokit.recipe.address import Address, split_address
from echokit.recipe.load import load_recipe
from echokit.recipe.recipe import Recipe
from echokit.recipe.settings import Settings, setting_texts
from echokit.recipe.tables import Slot
from echokit.system.sources import PREFIX, hide_source, keep_source


def resolve_recipe(
    recipe: str | None,
    data: Address | None,
    preset: str | None,
    settings: Settings,
    config: Address | Sequence[Address] | None,
    seed: int | None,
    test_data: Address | None,
) -> Recipe:
    """Resolve the recipe of a new run, with its components checked and its data's path hidden.

    Raises:
        EchokitError: the recipe cannot be used.
    """
    for name, source in {"--data": data, "--test-data": test_data}.items():
        if source is not None and not str(source).strip():
            raise UsageError(f"{name} is empty: give a CSV manifest or a folder of clips.")
    if recipe is None:
        raise UsageError(
            "Name a recipe, as in `echokit run RECIPE`, or --resume a run. "
            "`echokit recipes` lists recipes."
        )
    configs = [config] if isinstance(config, str | PathLike) else config or ()
    resolved = load_recipe(
        recipe,
        preset=preset,
        config=[Path(one) for one in configs],
        settings=[*setting_texts(settings), *([] if seed is None else [f"seed={seed}"])],
        data=None if data is None else whole_address(data),
        test_data=None if test_data is None else whole_address(test_data),
    )
    resolved.check_components()
    return without_paths(resolved)


def without_paths(recipe: Recipe) -> Recipe:
    """Return the recipe without the addresses of the user's own data, which may name patients."""
    slots = {"data": recipe.data, "test": recipe.test}
    hidden = {
        name: Slot(use=slot.use, **slot.options | {"source": hide_source(source)})
        for name, slot in slots.items()
        if slot is not None and isinstance(source := slot.options.get("source"), str)
    }
    return recipe.model_copy(update=hidden)


def whole_address(source: Address) -> Address:
    """Return a path from the root, or `LOADER:ADDRESS` as it is."""
    return source if split_address(source) else Path(source).expanduser().resolve()


def move_data(recipe: Recipe, source: Address) -> None:
    """Note where the data of a run with that recipe are now.

    Raises:
        UsageError: there is nothing, another loader is to read it, or the run has no data of the
            user's own.
    """
    hidden = str(recipe.data.options.get("source") or "")
    named = split_address(source)
    if named is not None and named[0] != recipe.data.use:
        raise UsageError(
            f"The run's clips are read by the loader {recipe.data.use!r}, not {named[0]!r}: begin "
            "a new run."
        )
    if named is None and not Path(source).exists():
        raise UsageError(f"There is nothing at {source}.")
    if not hidden.startswith(PREFIX):
        raise UsageError("The recipe of the run names its data: leave out --data.")
    keep_source(hidden, str(source) if named is None else named[1])
