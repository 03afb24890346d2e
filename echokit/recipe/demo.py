"""Networks that come with a recipe, trained on synthetic clips: the folder `demo` beside its file.

It is a run without its cohort, small enough for a wheel. `echokit predict demo STUDY` predicts with
it, and `backbone.weights = "demo"` starts training from its networks.
"""

from __future__ import annotations

from pathlib import Path

from echokit.errors import PluginError, UsageError
from echokit.plugins.registry import registry
from echokit.recipe.recipe import Recipe
from echokit.recipe.tables import Slot

DEMO = "demo"
"""What a user writes for a recipe's networks: in place of a run, and as `backbone.weights`."""


def demo_folder(recipe: str) -> Path | None:
    """Return the folder of a recipe's demonstration networks; None if it brings none."""
    try:
        path: Path = registry().find("recipe", recipe).factory
    except PluginError:  # a recipe that was a file
        return None
    folder = path.parent / DEMO
    return folder if (folder / "run.json").is_file() else None


def demo_folders() -> dict[str, Path]:
    """Return the folders of all demonstration networks, by the name of their recipe."""
    names = [component.name for component in registry().of_kind("recipe")]
    return {name: folder for name in names if (folder := demo_folder(name))}


def resolve_demo(path: Path) -> Path:
    """Return a run's folder; `demo` and `demo/RECIPE` stand for networks that come with a recipe.

    A folder of that name is taken first.

    Raises:
        UsageError: no installed recipe of that name brings networks.
    """
    if path.exists() or path.parts[:1] != (DEMO,) or len(path.parts) > 2:
        return path
    folders = demo_folders()
    # the first whose networks tell a disease: those of views serve `--view auto`
    name = path.parts[1] if len(path.parts) == 2 else next(iter(_of_diseases(folders)), "")
    if name not in folders:
        known = " or ".join(f"demo/{name}" for name in folders) or "there are none"
        raise UsageError(f"No recipe {name!r} brings demonstration networks: {known}.")
    return folders[name]


def _of_diseases(folders: dict[str, Path]) -> list[str]:
    from echokit.recipe.load import load_recipe

    return [
        name for name, f in folders.items() if not load_recipe(str(f / "recipe.toml")).view_tasks
    ]


def with_start(recipe: Recipe, view: str) -> Recipe:
    """Replace `backbone.weights = "demo"` by the file of the demonstration network of a view.

    Raises:
        UsageError: the recipe brings no such network.
    """
    backbone = recipe.backbone
    if backbone.options.get("weights") != DEMO:
        return recipe
    folder = demo_folder(recipe.name)
    found = sorted(folder.glob(f"models/*/*/{view}/split-00.safetensors")) if folder else []
    if not found:
        raise UsageError(
            f"The recipe {recipe.name!r} brings no demonstration network of {view}, from which "
            "training could start: --set backbone.weights=none"
        )
    slot = Slot(use=backbone.use, **backbone.options | {"weights": str(found[0])})
    return recipe.model_copy(update={"backbone": slot})
