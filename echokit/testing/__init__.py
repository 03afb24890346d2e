"""What a plugin's author tests with: one contract per kind of component, and tiny inputs.

from echokit.testing import BackboneContract

class TestTiny3d(BackboneContract):
    component = "tiny3d"
    options = {"width": 4}
"""

from echokit.testing.clips import tiny_clip, tiny_votes
from echokit.testing.contracts import (
    CONTRACTS,
    AggregatorContract,
    BackboneContract,
    Contract,
    ContractError,
    ExplainerContract,
    LoaderContract,
    RecipeContract,
    TransformContract,
    Verdict,
    check_aggregator,
    check_backbone,
    check_explainer,
    check_loader,
    check_recipe,
    check_transform,
    judge,
    rules,
)

__all__ = [
    "CONTRACTS",
    "AggregatorContract",
    "BackboneContract",
    "Contract",
    "ContractError",
    "ExplainerContract",
    "LoaderContract",
    "RecipeContract",
    "TransformContract",
    "Verdict",
    "check_aggregator",
    "check_backbone",
    "check_explainer",
    "check_loader",
    "check_recipe",
    "check_transform",
    "judge",
    "rules",
    "tiny_clip",
    "tiny_votes",
]
