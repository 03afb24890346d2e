"""What a plugin's author tests with: one contract per kind of component, and tiny inputs.

from echokit.testing import BackboneContract

class TestTiny3d(BackboneContract):
    component = "tiny3d"
    options = {"width": 4}

Each name is imported when it is first asked for, so that a test of a loader needs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from echokit.testing.clips import tiny_clip, tiny_votes
    from echokit.testing.contracts.aggregator import AggregatorContract, check_aggregator
    from echokit.testing.contracts.backbone import BackboneContract, check_backbone
    from echokit.testing.contracts.command import CommandContract, check_commands
    from echokit.testing.contracts.every import CONTRACTS
    from echokit.testing.contracts.executor import ExecutorContract, check_executor
    from echokit.testing.contracts.explainer import ExplainerContract, check_explainer
    from echokit.testing.contracts.loader import LoaderContract, check_loader
    from echokit.testing.contracts.recipe import RecipeContract, check_recipe
    from echokit.testing.contracts.rules import ContractError
    from echokit.testing.contracts.suite import Contract, Verdict, judge, rules
    from echokit.testing.contracts.transform import TransformContract, check_transform
    from echokit.testing.contracts.writer import WriterContract, check_writer
    from echokit.testing.results import tiny_result

_KINDS = (
    *("aggregator", "backbone", "executor", "explainer"),
    *("loader", "recipe", "transform", "writer"),
)
_PLACES = {
    **{f"{kind.capitalize()}Contract": f"contracts.{kind}" for kind in (*_KINDS, "command")},
    **{f"check_{kind}": f"contracts.{kind}" for kind in _KINDS},
    "check_commands": "contracts.command",
    "CONTRACTS": "contracts.every",
    "ContractError": "contracts.rules",
    **dict.fromkeys(("Contract", "Verdict", "judge", "rules"), "contracts.suite"),
    **dict.fromkeys(("tiny_clip", "tiny_votes"), "clips"),
    "tiny_result": "results",
}
"""Name -> the module below this one that it is imported from."""

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
    "WriterContract",
    "check_aggregator",
    "check_backbone",
    "check_commands",
    "check_executor",
    "check_explainer",
    "check_loader",
    "check_recipe",
    "check_transform",
    "check_writer",
    "judge",
    "rules",
    "tiny_clip",
    "tiny_result",
    "tiny_votes",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value
