"""`echokit plugins check`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from echokit.plugins import Component
    from echokit.testing import Contract, Verdict


def check(
    name: Annotated[
        str, typer.Argument(help="A component, owner/name, or a distribution with all its own.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option to make it with, as in --set width=4. Repeatable."),
    ] = None,
    stage: Annotated[
        str | None, typer.Option(help="Of a transform: prepare, augment or normalise.")
    ] = None,
    per_frame: Annotated[
        bool, typer.Option("--per-frame", help="A transform's frames differ on purpose (noise).")
    ] = False,
    source: Annotated[
        str | None, typer.Option(help="Of a loader: a small source that holds a clip.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Try the contract of an installed plugin on it, rule by rule; no test code is needed."""
    from echokit.cli.console import out, print_json
    from echokit.recipe.settings import parse_setting
    from echokit.testing import judge

    options: dict[str, Any] = {}
    for text in settings or []:
        (key,), value = parse_setting(text)
        options[key] = value
    results: list[tuple[Component, str, list[Verdict]]] = []
    for component in find(name):
        contracts = suites(component, options, stage, per_frame, source)
        tried = [(fit, list(judge(contract))) for fit, contract in contracts]
        fit, verdicts = min(tried, key=lambda one: sum(v.broken is not None for v in one[1]))
        results.append((component, fit, verdicts))
    if as_json:
        print_json([_as_json(*result) for result in results])
    else:
        for component, fit, verdicts in results:
            what = f"{fit} {component.kind}".strip()
            owner = f"{component.owner} {component.version}".rstrip()
            out.print(f"[bold]{component.name}[/bold]  {what} of {owner}")
            _show(verdicts)
    if any(v.broken is not None for _, _, verdicts in results for v in verdicts):
        raise typer.Exit(1)


def find(name: str) -> list[Component]:
    """The components that a name stands for.

    Raises:
        PluginError: it stands for none.
    """
    from echokit.errors import PluginError, nearest
    from echokit.plugins import registry

    everything = registry().components
    found = [c for c in everything if name in (c.name, c.full_name, f"{c.distribution}/{c.name}")]
    found = found or [c for c in everything if name in (c.owner, c.distribution)]
    if not found:
        broken = [p for p in registry().problems if p.startswith(f"Plugin {name}")]
        if broken:
            raise PluginError(" ".join(broken))
        names = {c.name for c in everything} | {c.distribution for c in everything}
        raise PluginError(
            f"No component or distribution is called {name!r}: {nearest(name, names)}"
        )
    return found


def suites(
    component: Component,
    options: dict[str, Any],
    stage: str | None,
    per_frame: bool,
    source: str | None,
) -> list[tuple[str, Contract]]:
    """The contracts to try on a component: of a transform, one for each stage that may be its own.

    Raises:
        OptionError: a required option is not given, or one is unknown.
        UsageError: a loader's source is not given, or there is no such stage.
    """
    from typing import get_args

    from echokit.errors import OptionError, UsageError, nearest
    from echokit.plugins import check_options
    from echokit.testing import CONTRACTS, LoaderContract, TransformContract
    from echokit.testing.contracts.transform import Stage

    required: dict[str, dict[str, Any]] = {
        "loader": {"source": ""},
        "backbone": {"num_classes": 2, "in_channels": 1},
    }
    given = required.get(component.kind, {})
    if component.kind != "recipe":
        try:
            check_options(component, given | options)
        except OptionError as error:
            raise OptionError(f"{error} Give options by --set, as in --set size=32.") from error
    contract = CONTRACTS[component.kind]()
    contract.component, contract.options = component.full_name, options  # type: ignore[misc]
    if isinstance(contract, LoaderContract):
        if source is None and not component.owner.endswith(":phantom"):
            raise UsageError(
                f"The {component} needs something to read: give a small source that holds a clip "
                "by --source PATH."
            )
        contract.where = source or ""
    if not isinstance(contract, TransformContract):
        return [("", contract)]
    stages = get_args(Stage)
    if stage is not None and stage not in stages:
        raise UsageError(f"There is no stage {stage!r}: {nearest(stage, stages)}")
    return [(name, _of_stage(contract, name, per_frame)) for name in ([stage] if stage else stages)]


def _of_stage(contract: Contract, stage: str, per_frame: bool) -> Contract:
    from copy import copy

    one: Any = copy(contract)
    one.stage, one.per_frame = stage, per_frame
    return one  # type: ignore[no-any-return]


def _show(verdicts: Iterable[Verdict]) -> None:
    from echokit.cli.console import out

    broken = 0
    for verdict in verdicts:
        if verdict.broken is None:
            out.print(f"  [green]✓[/green] {_escaped(verdict.sentence)}", soft_wrap=True)
        else:
            broken += 1
            out.print(f"  [red]✗[/red] {_escaped(verdict.sentence)}", soft_wrap=True)
            out.print(f"      {verdict.broken}", markup=False, soft_wrap=True)
    if broken:
        rules = "1 rule is" if broken == 1 else f"{broken} rules are"
        out.print(f"  [red]{rules} broken.[/red]")
    else:
        out.print("  [green]It keeps its contract.[/green]")


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _as_json(component: Component, fit: str, verdicts: list[Verdict]) -> dict[str, Any]:
    return {
        "kind": component.kind,
        "name": component.name,
        "owner": component.owner,
        "version": component.version,
        "stage": fit or None,
        "passed": all(verdict.broken is None for verdict in verdicts),
        "rules": [
            {"rule": v.rule, "sentence": v.sentence, "passed": v.broken is None, "broken": v.broken}
            for v in verdicts
        ],
    }
