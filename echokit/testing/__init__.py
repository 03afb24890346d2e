"""What a plugin's author tests with: one contract per kind of component, and tiny inputs.

from echokit.testing import BackboneContract

class TestTiny3d(BackboneContract):
    component = "tiny3d"
    options = {"width": 4}
"""

from echokit.testing.clips import tiny_clip, tiny_votes
from echokit.testing.contracts import CONTRACTS
from echokit.testing.contracts.aggregator import AggregatorContract, check_aggregator
from echokit.testing.contracts.backbone import BackboneContract, check_backbone
from echokit.testing.contracts.command import CommandContract, check_commands
from echokit.testing.contracts.executor import ExecutorContract, check_executor
from echokit.testing.contracts.explainer import ExplainerContract, check_explainer
from echokit.testing.contracts.loader import LoaderContract, check_loader
from echokit.testing.contracts.recipe import RecipeContract, check_recipe
from echokit.testing.contracts.rules import ContractError
from echokit.testing.contracts.suite import Contract, Verdict, judge, rules
from echokit.testing.contracts.transform import TransformContract, check_transform

__all__ = [
    "CONTRACTS",
    "AggregatorContract",
    "BackboneContract",
    "CommandContract",
    "Contract",
    "ContractError",
    "ExecutorContract",
    "ExplainerContract",
    "LoaderContract",
    "RecipeContract",
    "TransformContract",
    "Verdict",
    "check_aggregator",
    "check_backbone",
    "check_commands",
    "check_executor",
    "check_explainer",
    "check_loader",
    "check_recipe",
    "check_transform",
    "judge",
    "rules",
    "tiny_clip",
    "tiny_votes",
]
