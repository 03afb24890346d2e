"""Collect the contract of each kind of component."""

from echokit.plugins.registry import Kind
from echokit.testing.contracts.aggregator import AggregatorContract
from echokit.testing.contracts.backbone import BackboneContract
from echokit.testing.contracts.command import CommandContract
from echokit.testing.contracts.executor import ExecutorContract
from echokit.testing.contracts.explainer import ExplainerContract
from echokit.testing.contracts.loader import LoaderContract
from echokit.testing.contracts.recipe import RecipeContract
from echokit.testing.contracts.suite import Contract
from echokit.testing.contracts.transform import TransformContract
from echokit.testing.contracts.writer import WriterContract

CONTRACTS: dict[Kind, type[Contract]] = {
    contract.kind: contract
    for contract in (
        LoaderContract,
        TransformContract,
        BackboneContract,
        AggregatorContract,
        ExplainerContract,
        RecipeContract,
        WriterContract,
        ExecutorContract,
        CommandContract,
    )
}
"""The contract of each kind."""
