"""The contract of each kind of component, as a function that raises `ContractError`."""

from echokit.plugins.registry import Kind
from echokit.testing.contracts.aggregator import AggregatorContract, check_aggregator
from echokit.testing.contracts.backbone import BackboneContract, check_backbone
from echokit.testing.contracts.explainer import ExplainerContract, check_explainer
from echokit.testing.contracts.loader import LoaderContract, check_loader
from echokit.testing.contracts.recipe import RecipeContract, check_recipe
from echokit.testing.contracts.rules import ContractError
from echokit.testing.contracts.suite import Contract, Verdict, judge, rules
from echokit.testing.contracts.transform import TransformContract, check_transform

CONTRACTS: dict[Kind, type[Contract]] = {
    contract.kind: contract
    for contract in (
        LoaderContract,
        TransformContract,
        BackboneContract,
        AggregatorContract,
        ExplainerContract,
        RecipeContract,
    )
}
"""The contract of each kind."""

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
]
