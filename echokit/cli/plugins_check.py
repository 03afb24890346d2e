"""`echokit plugins check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from echokit.cli.plugins_verdict import Result
    from echokit.plugins.registry import Component
    from echokit.testing import BackboneContract, Contract


def check(
    name: Annotated[
        str, typer.Argument(help="A component, owner/name, or a distribution with all its own.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option to make it with, as in --set width=4. Repeatable."),
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option(help="Of a transform: prepare, augment or normalise, if it does not say."),
    ] = None,
    per_frame: Annotated[
        bool, typer.Option("--per-frame", help="A transform's frames differ on purpose (noise).")
    ] = False,
    skips_frames: Annotated[
        bool, typer.Option("--skips-frames", help="A backbone leaves out frames on purpose.")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="Of a loader: a small source that holds a clip.")
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(help="Of a loader: files that are no clips, as in '*_mask.npz'. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Try the contract of an installed plugin on it, rule by rule; no test code is needed."""
    from echokit.cli.console import print_json
    from echokit.cli.plugins_verdict import Result, as_row, show
    from echokit.errors import EchokitError
    from echokit.recipe.settings import parse_setting

    options: dict[str, Any] = {}
    for text in settings or []:
        (key,), value = parse_setting(text)
        options[key] = value
    _check_stage(stage)
    asked = Asked(options, stage, per_frame, skips_frames, source, tuple(beside or ()))
    found, results = find(name), []
    for component in found:
        try:
            result = tried(component, asked)
        except EchokitError as error:
            if len(found) == 1:
                raise
            result = Result(component, not_tried=str(error))
        results.append(result)
        if not as_json:
            show(result)
    if as_json:
        print_json([as_row(result) for result in results])
    if not all(result.passed for result in results):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed; of another kind's options nothing is used."""

    options: dict[str, Any]
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
    from echokit.errors import PluginError, nearest
    from echokit.plugins.registry import registry

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

    Of a transform that no stage is known of, every stage is tried, and the one whose rules it
    breaks least is a guess.

    Raises:
        OptionError: a required option is not given, or one is unknown.
        UsageError: a loader's source is not given.
    """
    from typing import get_args

    from echokit.cli.plugins_verdict import Result
    from echokit.testing import TransformContract, judge
    from echokit.testing.contracts.transform import Stage, declared_stage

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
    from echokit.errors import OptionError, UsageError
    from echokit.plugins.registry import check_options
    from echokit.testing import CONTRACTS, BackboneContract, LoaderContract, TransformContract

    required: dict[str, dict[str, Any]] = {
        "loader": {"source": ""},
        "backbone": {"num_classes": 2, "in_channels": 1},
    }
    contract = CONTRACTS[component.kind]()
    contract.component = component.full_name  # type: ignore[misc]
    if component.kind not in ("recipe", "command"):
        contract.options = asked.options  # type: ignore[misc]
        try:
            check_options(component, required.get(component.kind, {}) | asked.options)
        except OptionError as error:
            raise OptionError(f"{error} Give options by --set, as in --set size=32.") from error
    if isinstance(contract, LoaderContract):
        if asked.source is None and not component.owner.endswith(":phantom"):
            raise UsageError(
                f"The {component} needs something to read: give a small source that holds a clip "
                "by --source PATH."
            )
        contract.where, contract.beside = asked.source or "", asked.beside
    elif isinstance(contract, TransformContract):
        contract.per_frame = asked.per_frame
    elif isinstance(contract, BackboneContract):
        contract.skips_frames = asked.skips_frames
        contract.has_cam_layer = _has_cam_layer(contract)
    return contract


def _has_cam_layer(contract: BackboneContract) -> bool | None:
    """Whether the network has `cam_layer()`; None where it cannot be made, as a rule will tell."""
    from echokit.interfaces import SupportsCam
    from echokit.testing.contracts.rules import NotMadeError

    try:
        return isinstance(contract.make(num_classes=2, in_channels=1), SupportsCam)
    except NotMadeError:
        return None


def _check_stage(stage: str | None) -> None:
    from typing import get_args

    from echokit.errors import UsageError, nearest
    from echokit.testing.contracts.transform import Stage

    if stage is not None and stage not in get_args(Stage):
        raise UsageError(f"There is no stage {stage!r}: {nearest(stage, get_args(Stage))}")
