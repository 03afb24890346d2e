"""The contract of each kind of component, as a function that raises `ContractError`."""

from echokit.testing.contracts.aggregator import check_aggregator
from echokit.testing.contracts.backbone import check_backbone
from echokit.testing.contracts.explainer import check_explainer
from echokit.testing.contracts.loader import check_loader
from echokit.testing.contracts.recipe import check_recipe
from echokit.testing.contracts.rules import ContractError
from echokit.testing.contracts.transform import check_transform

__all__ = [
    "ContractError",
    "check_aggregator",
    "check_backbone",
    "check_explainer",
    "check_loader",
    "check_recipe",
    "check_transform",
]
