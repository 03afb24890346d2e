"""Begin a run: the folder of a new one, or that of one to resume."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from echokit.errors import UsageError
from echokit.folder import RunFolder, next_free
from echokit.recipe import Recipe
from echokit.recipe.address import Address
from echokit.recipe.resolve import move_data, resolve_recipe, whole_address
from echokit.recipe.settings import Settings


def begin_run(
    recipe: str | None,
    data: Address | None,
    preset: str | None,
    settings: Settings,
    config: Address | Sequence[Address] | None,
    out: Address | None,
    seed: int | None,
    resume: Address | None,
    test_data: Address | None = None,
    check: Callable[[Recipe], object] | None = None,
) -> RunFolder:
    """Create the folder of a new run, or open that of a run to resume.

    Args:
        recipe: name of a recipe, or the path of its TOML file.
        data: the user's own clips.
        preset: one of the recipe's presets.
        settings: overrides by key, or texts as `--set` takes them.
        config: a TOML file that overrides the recipe and the preset, or several, later ones first.
        out: the run's folder; None takes one below `runs/`.
        seed: short for the setting `seed`.
        resume: the folder of a run to resume; excludes all other arguments but `data`, which
            says where its data are now.
        test_data: an external test cohort.
        check: refuses a new run that cannot be carried out, before anything is written.

    Raises:
        EchokitError: the recipe cannot be used, or the folder is not empty.
    """
    if resume is not None:
        others = (recipe, test_data, preset, settings, config, out)
        if any(others) or seed is not None:
            raise UsageError(
                "--resume takes only the run's folder, and --data where its data were moved; the "
                "recipe is the one saved in it."
            )
        folder = RunFolder.open_to_resume(Path(resume))
        if data is not None:
            move_data(folder.recipe(), whole_address(data))
        return folder
    resolved = resolve_recipe(recipe, data, preset, settings, config, seed, test_data)
    if check is not None:
        check(resolved)
    place = next_free(Path("runs"), resolved.name) if out is None else Path(out)
    return RunFolder.create(place, resolved)
