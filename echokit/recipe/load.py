"""Load a recipe by name or file, apply its overrides and validate it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from echokit.errors import PluginError, RecipeError, nearest
from echokit.plugins.registry import registry
from echokit.recipe.address import Address, split_address
from echokit.recipe.recipe import Recipe
from echokit.recipe.settings import Table, merge, override, parse_setting, read_toml


def load_recipe(
    source: str,
    *,
    preset: str | None = None,
    config: Path | Sequence[Path] | None = None,
    settings: Iterable[str] = (),
    data: Address | None = None,
    test_data: Address | None = None,
) -> Recipe:
    """Load and validate a recipe with its overrides.

    Args:
        source: name of a registered recipe, or path of a TOML file.
        preset: one of the recipe's `[presets.*]`; None selects its `default_preset`.
        config: TOML files that override the recipe and the preset; later ones override earlier.
        settings: `key=value` texts as for `--set`, which override everything else.
        data: the user's own clips, which replace the recipe's `[data]`. The loader of `[study]`
            reads them, or the one that `LOADER:ADDRESS` names, and `data.*` in `config` and
            `settings` then sets options of that loader. The recipe's own external test cohort is
            left out.
        test_data: an external test cohort, which replaces the recipe's `[test]`, read in the same
            way; `test.*` sets options of its loader.

    Raises:
        RecipeError: a value is unknown, missing or invalid; the message says what to type instead.
    """
    document = read_toml(_locate(source))
    presets = document.pop("presets", {})
    if not isinstance(presets, dict) or not all(isinstance(p, dict) for p in presets.values()):
        raise RecipeError(f"{source}: [presets] must hold a table for each preset.")
    settings = tuple(settings)
    chosen = preset if preset is not None else document.pop("default_preset", "")
    document.pop("default_preset", None)
    if chosen:
        if not isinstance(chosen, str) or chosen not in presets:
            raise RecipeError(f"{source} has no preset {chosen!r}: {nearest(str(chosen), presets)}")
        document = merge(document, presets[chosen]) | {"preset": chosen}
    own = {"data": data, "test": test_data}
    if data is not None:  # a synthetic test cohort says nothing of networks of other patients
        document.pop("test", None)
    # the overrides may have replaced the loader of [study]
    reader = _override_all(document, config, settings).get("study", {})
    given = {slot: str(path) for slot, path in own.items() if path is not None}
    for slot, path in tuple(given.items()):
        loader: Table = reader
        if (named := split_address(path)) is not None:
            loader, given[slot] = {"use": named[0]}, named[1]
        document[slot] = loader | {"source": given[slot]}
    document = _override_all(document, config, settings)
    for slot, path in given.items():
        if isinstance(document.get(slot), dict):  # a setting that replaces the loader drops it
            document[slot].setdefault("source", path)
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise RecipeError(f"{source}: {_explain(error)}") from error


def _override_all(
    document: Table, config: Path | Sequence[Path] | None, settings: Iterable[str]
) -> Table:
    """Apply each config file, then each setting."""
    for path in [config] if isinstance(config, Path) else config or ():
        document = merge(document, read_toml(path))
    for text in settings:
        document = override(document, *parse_setting(text))
    return document


def _locate(source: str) -> Path:
    """Find the TOML file of a recipe."""
    path = Path(source)
    if path.suffix == ".toml" or path.is_file():
        if not path.is_file():
            raise RecipeError(f"There is no recipe file {source}. `echokit recipes` lists recipes.")
        return path
    try:
        registered: Path = registry().find("recipe", source).factory
    except PluginError as error:
        raise RecipeError(f"{error} A path must end in .toml.") from error
    return registered


def _explain(error: ValidationError) -> str:
    """State each problem with the key and the value that was given."""
    problems = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] in ("tuple_type", "list_type") and isinstance(item["input"], str):
            message = f"Input should be a list, as in --set \"{key}=['{item['input']}']\""
        given = "" if item["type"] in ("value_error", "missing") else f" (given: {item['input']!r})"
        problems.append(f"{key}: {message}{given}" if key else f"{message}{given}")
    return "; ".join(problems)
