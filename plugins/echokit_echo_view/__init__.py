"""The recipe `echo-view`: which view does an echo clip show?"""

from collections.abc import Callable
from pathlib import Path

from echokit import hookimpl


@hookimpl
def register_recipes(register: Callable[[str, Path], None]) -> None:
    """Register the recipe's TOML file."""
    register("echo-view", Path(__file__).with_name("recipe.toml"))
