"""Load a recipe: TOML in, one frozen and validated value out.

Precedence: recipe < --preset < --config FILE < --set key=value.
"""

from echokit.recipe.load import load_recipe
from echokit.recipe.recipe import Recipe
from echokit.recipe.tables import DROP, TOGETHER, VIEW_COLUMN, Compute, Slot, Task

__all__ = ["DROP", "TOGETHER", "VIEW_COLUMN", "Compute", "Recipe", "Slot", "Task", "load_recipe"]
