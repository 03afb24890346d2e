"""What a plugin's author tests with: one contract per kind of component, and tiny inputs.

from functools import partial
from echokit.testing import check_backbone
from my_plugin import tiny3d

def test_tiny3d() -> None:
    check_backbone(partial(tiny3d, depth=2))
"""

from echokit.testing.clips import tiny_clip, tiny_votes
from echokit.testing.contracts import (
    ContractError,
    check_aggregator,
    check_backbone,
    check_explainer,
    check_loader,
    check_recipe,
    check_transform,
)

__all__ = [
    "ContractError",
    "check_aggregator",
    "check_backbone",
    "check_explainer",
    "check_loader",
    "check_recipe",
    "check_transform",
    "tiny_clip",
    "tiny_votes",
]
