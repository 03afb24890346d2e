"""The recipe `ph-newborn`: pulmonary hypertension in newborns, after IP-PHN (GCPR 2022)."""

from collections.abc import Callable
from pathlib import Path

from echokit import hookimpl


@hookimpl
def register_recipes(register: Callable[[str, Path], None]) -> None:
    """Register the recipe's TOML file."""
    register("ph-newborn", Path(__file__).with_name("recipe.toml"))
