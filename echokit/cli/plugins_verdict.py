"""Print the result of `echokit plugins check`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.markup import escape

from echokit.cli.console import out
from echokit.plugins.component import Component

if TYPE_CHECKING:
    from echokit.testing import Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What trying a contract on a component gave."""

    component: Component
    verdicts: tuple[Verdict, ...] = ()
    """Of each rule."""
    stage: str = ""
    """Of a transform: the stage that it was tried for."""
    others: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where the stage is a guess: the rules that it breaks in each of the others."""
    not_tried: str | None = None
    """Why nothing of it could be tried; None where something was."""

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the rules that it breaks."""
        return tuple(v.rule for v in self.verdicts if v.broken is not None)

    @property
    def passed(self) -> bool:
        """True if it was tried, for a stage that is known, and breaks no rule."""
        return self.not_tried is None and not self.others and not self.broken


def show(result: Result) -> None:
    """Print a result, a rule a line."""
    component, guess = result.component, " (guessed)" if result.others else ""
    what = f"{result.stage}{guess} {component.kind}".strip()
    owner = f"{component.owner} {component.version}".rstrip()
    name = escape(component.name)
    out.print(f"[bold]{name}[/bold]  {escape(f'{what} of {owner}')}", soft_wrap=True)
    for verdict in result.verdicts:
        _show_rule(verdict)
    if result.not_tried is not None:
        out.print("  [yellow]It was not tried.[/yellow]")
        out.print(f"      {result.not_tried}", markup=False, soft_wrap=True)
    else:
        out.print(f"  {_summary(result)}", soft_wrap=True)
    if result.others:
        as_others = "; ".join(
            f"as {stage} it breaks {', '.join(broken) or 'none'}"
            for stage, broken in result.others.items()
        )
        out.print(
            f"  Its stage was guessed ({as_others}), and a guess is no pass: say the stage by "
            "--stage augment, or begin the docstring of its factory with it, as in "
            '"Augment: ...".',
            markup=False,
            soft_wrap=True,
        )


def _show_rule(verdict: Verdict) -> None:
    reason = verdict.broken or verdict.not_tried
    mark = "[green]✓[/green]"
    if reason is not None:
        mark = "[yellow]-[/yellow] not tried:" if verdict.broken is None else "[red]✗[/red]"
    out.print(f"  {mark} {escape(verdict.sentence)}", soft_wrap=True)
    if reason is not None:
        out.print(f"      {reason}", markup=False, soft_wrap=True)


def _summary(result: Result) -> str:
    untried = sum(verdict.not_tried is not None for verdict in result.verdicts)
    more = f"; {_rules(untried)} not tried" if untried else ""
    if result.broken:
        return f"[red]{_rules(len(result.broken))} broken{more}.[/red]"
    if untried:
        return f"[green]It keeps what was tried of its contract[/green]{more}."
    return "[green]It keeps its contract.[/green]"


def _rules(n: int) -> str:
    return "1 rule is" if n == 1 else f"{n} rules are"


def as_row(result: Result) -> dict[str, object]:
    """Convert a result to JSON values; `passed` of a rule is null where it was not tried."""
    component = result.component
    return {
        "kind": component.kind,
        "name": component.name,
        "owner": component.owner,
        "version": component.version,
        "stage": result.stage or None,
        "guessed": bool(result.others),
        "passed": result.passed,
        "not_tried": result.not_tried,
        "rules": [
            {
                "rule": v.rule,
                "sentence": v.sentence,
                "passed": None if v.not_tried is not None else v.broken is None,
                "broken": v.broken,
                "not_tried": v.not_tried,
            }
            for v in result.verdicts
        ],
    }
