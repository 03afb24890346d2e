"""Find the components to check, and try their contracts on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from echokit.cli.plugins_verdict import Result
from echokit.errors import OptionError, PluginError, UsageError, nearest
from echokit.interfaces import SupportsCam
from echokit.plugins.component import Component, Kind
from echokit.plugins.registry import check_options, registry
from echokit.recipe.settings import parse_setting
from echokit.testing import (
    CONTRACTS,
    BackboneContract,
    Contract,
    LoaderContract,
    TransformContract,
    WriterContract,
    judge,
)
from echokit.testing.contracts.rules import NotMadeError
from echokit.testing.contracts.transform import Stage, declared_stage

REQUIRED: Mapping[Kind, Mapping[str, object]] = {
    "loader": {"source": ""},
    "backbone": {"num_classes": 2, "in_channels": 1},
}
"""What the factories of a kind are given besides their options."""


def read_options(settings: Iterable[str]) -> dict[str, object]:
    """The options that `--set key=value` texts give."""
    options: dict[str, object] = {}
    for text in settings:
        (key,), value = parse_setting(text)
        options[key] = value
    return options


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed; of another kind's options nothing is used."""

    options: Mapping[str, object]
    """To make the component with."""
    stage: str | None = None
    """Of a transform; None takes what it declares."""
    per_frame: bool = False
    """Of a transform: its frames differ on purpose."""
    skips_frames: bool = False
    """Of a backbone: it leaves out frames on purpose."""
    source: str | None = None
    """Of a loader."""
    beside: tuple[str, ...] = ()
    """Of a loader: patterns of files that are no clips."""


def find(name: str) -> list[Component]:
    """The components that a name stands for.

    Raises:
        PluginError: it stands for none.
    """
    everything = registry().components
    found = [c for c in everything if name in (c.name, c.full_name, f"{c.distribution}/{c.name}")]
    found = found or [c for c in everything if name in (c.owner, c.distribution)]
    if not found:
        whose = (f"Plugin {name}:", f"Plugin {name} ")
        broken = [problem for problem in registry().problems if problem.startswith(whose)]
        if broken:
            raise PluginError(" ".join(broken))
        names = {c.name for c in everything} | {c.distribution for c in everything}
        raise PluginError(
            f"No component or distribution is called {name!r}: {nearest(name, names)}"
        )
    return found


def tried(component: Component, asked: Asked) -> Result:
    """Try a component's contract on it.

    A transform whose stage is not known is tried in every stage; the stage in which it breaks the
    fewest rules is a guess.

    Raises:
        OptionError: a required option is not given, or one is unknown.
        UsageError: a loader's source is not given.
    """
    contract = made(component, asked)
    if not isinstance(contract, TransformContract):
        return Result(component, tuple(judge(contract)))
    known = asked.stage or declared_stage(component.factory)
    stages: dict[str, Result] = {}
    for stage in [known] if known else get_args(Stage):
        contract.stage = stage  # type: ignore[assignment]
        stages[stage] = Result(component, tuple(judge(contract)), stage)
    if known:
        return stages[known]
    best = min(stages.values(), key=lambda result: len(result.broken))
    others = {stage: result.broken for stage, result in stages.items() if result is not best}
    return Result(component, best.verdicts, best.stage, others)


def made(component: Component, asked: Asked) -> Contract:
    """The contract to try on a component.

    Raises:
        OptionError: a required option is not given, or one is unknown.
        UsageError: a loader's source is not given.
    """
    contract = CONTRACTS[component.kind]()
    contract.component = component.full_name  # type: ignore[misc]
    if component.kind not in ("recipe", "command"):
        contract.options = asked.options  # type: ignore[misc]
        try:
            check_options(component, {**REQUIRED.get(component.kind, {}), **asked.options})
        except OptionError as error:
            raise OptionError(f"{error} Give options by --set, as in --set size=32.") from error
    if isinstance(contract, LoaderContract):
        source = component.options.get("source")
        if asked.source is None and source is not None and source.default is source.empty:
            raise UsageError(
                f"The {component} needs something to read: give a small source that holds a clip "
                "by --source PATH."
            )
        contract.where, contract.beside = asked.source or "", asked.beside
    elif isinstance(contract, WriterContract):
        contract.where = asked.source
    elif isinstance(contract, TransformContract):
        contract.per_frame = asked.per_frame
    elif isinstance(contract, BackboneContract):
        contract.skips_frames = asked.skips_frames
        contract.has_cam_layer = _has_cam_layer(contract)
    return contract


def _has_cam_layer(contract: BackboneContract) -> bool | None:
    """Whether the network has `cam_layer()`; None where it cannot be made."""
    try:
        return isinstance(contract.make(num_classes=2, in_channels=1), SupportsCam)
    except NotMadeError:
        return None


def check_stage(stage: str | None) -> None:
    """Refuse what is no stage of a transform.

    Raises:
        UsageError: it is none; the nearest is named.
    """
    if stage is not None and stage not in get_args(Stage):
        raise UsageError(f"There is no stage {stage!r}: {nearest(stage, get_args(Stage))}")
