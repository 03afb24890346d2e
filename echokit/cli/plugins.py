"""`echokit plugins`."""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from echokit.cli import plugins_check, plugins_new
from echokit.cli.console import one_line, out, print_json
from echokit.cli.groups import WithPlugins
from echokit.errors import PluginError, UsageError, nearest
from echokit.plugins.component import KINDS, Component
from echokit.plugins.registry import registry

OWN = "echokit-cardiac:"
"""Our own components are listed without the plugin they come from."""

app = typer.Typer(
    cls=WithPlugins,
    help="List, show, check and write plugins.",
    no_args_is_help=True,
)
app.command("check")(plugins_check.check)
app.command("new")(plugins_new.new)


@app.command("list")
def list_plugins(
    kind: Annotated[
        str | None, typer.Option(help=f"Only this kind: {', '.join(KINDS[:-1])} or {KINDS[-1]}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every component by kind, and the plugin it comes from where that is not ours."""
    if kind is not None and kind not in KINDS:
        raise UsageError(f"There is no kind {kind!r}: {nearest(kind, KINDS)}")
    found = [c for k in KINDS for c in registry().of_kind(k) if kind in (None, k)]
    if as_json:
        print_json([asdict(_describe(component)) for component in found])
        return
    for wanted in KINDS:
        rows = [(c.name, _what(c)) for c in found if c.kind == wanted]
        if rows:
            out.print(f"[cyan]{wanted}s[/cyan]")
            _print_rows(rows)
    for clash in registry().clashes:
        one_line("warning", "yellow", clash)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of a component, or owner/name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show a component, or all of one name: options with types and defaults, documentation."""
    owner, _, bare = name.rpartition("/")
    found = [c for kind in KINDS for c in registry().of_kind(kind) if c.name == bare]
    if owner:
        found = [c for c in found if owner in (c.owner, c.distribution)]
    if not found:
        names = {c.name for c in registry().components}
        raise PluginError(f"No component is called {name!r}: {nearest(bare, names)}")
    if as_json:
        print_json([asdict(_describe(component)) for component in found])
        return
    for component in found:
        described = _describe(component)
        plugin = f"{component.owner} {component.version}".rstrip()
        origin = escape(f"{component.kind} of {plugin}")
        out.print(f"[bold]{escape(component.name)}[/bold]  {origin}")
        for option in described.options:
            default = f" = {option.default}" if option.default is not None else ""
            out.print(f"  {option.name}: {option.type}{default}", markup=False)
        out.print("\n" + described.doc, markup=False, soft_wrap=True)


def _what(component: Component) -> str:
    """Describe a component in one line, with its plugin where that is not ours."""
    doc, owner = _first_line(component), component.owner
    return doc if owner.startswith(OWN) else f"[{owner}] {doc}"


def _print_rows(rows: list[tuple[str, str]]) -> None:
    """Two columns; a terminal's width cuts the second, and nothing does in a pipe."""
    if not out.is_terminal:
        for name, what in rows:
            out.print(f"{name:<26} {what}", markup=False, soft_wrap=True)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold", min_width=26)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for name, what in rows:
        table.add_row(Text(name), Text(what))
    out.print(table)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a component, as it is shown."""

    name: str
    """Its name."""
    type: str
    """Its type, as the factory's signature writes it."""
    default: str | None
    """Its default as Python writes it; None where it must be given."""


@dataclass(frozen=True, slots=True)
class Description:
    """A component, as it is shown."""

    kind: str
    """Its kind."""
    name: str
    """Its name."""
    owner: str
    """`distribution:entrypoint`."""
    version: str
    """Version of the distribution."""
    options: tuple[Option, ...]
    """What its factory takes."""
    doc: str
    """Its documentation."""


def _describe(component: Component) -> Description:
    return Description(
        kind=component.kind,
        name=component.name,
        owner=component.owner,
        version=component.version,
        options=tuple(
            Option(name, _type(parameter), _default(parameter))
            for name, parameter in component.options.items()
        ),
        doc=_doc(component),
    )


def _default(parameter: inspect.Parameter) -> str | None:
    return None if parameter.default is parameter.empty else repr(parameter.default)


def _type(parameter: inspect.Parameter) -> str:
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return "any"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _doc(component: Component) -> str:
    if component.kind == "recipe":
        document = tomllib.loads(component.factory.read_text("utf-8"))
        return str(document.get("description") or f"Recipe file {component.factory.name}.")
    if component.kind == "command":
        return str(component.factory.help or "It is not documented.")
    return inspect.getdoc(component.factory) or "It is not documented."


def _first_line(component: Component) -> str:
    return _doc(component).partition("\n")[0]
