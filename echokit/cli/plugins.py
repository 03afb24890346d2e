"""`echokit plugins` and `echokit recipes`."""

from __future__ import annotations

import inspect
import tomllib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from echokit.cli import plugins_check, plugins_new

if TYPE_CHECKING:
    from echokit.plugins import Component

OWN = "echokit-cardiac:"
"""Our own components are listed without the plugin they come from."""

app = typer.Typer(
    help="What is installed, whose it is, what it takes; checking and writing plugins.",
    no_args_is_help=True,
)
app.command("check")(plugins_check.check)
app.command("new")(plugins_new.new)


@app.command("list")
def list_plugins(
    kind: Annotated[
        str | None, typer.Option(help="Only this kind: loader, transform, backbone ...")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every component by kind, and the plugin it comes from where that is not ours."""
    from echokit.cli.console import one_line, out, print_json
    from echokit.errors import UsageError, nearest
    from echokit.plugins import KINDS, registry

    if kind is not None and kind not in KINDS:
        raise UsageError(f"There is no kind {kind!r}: {nearest(kind, KINDS)}")
    found = [c for k in KINDS for c in registry().of_kind(k) if kind in (None, k)]
    if as_json:
        print_json([_describe(component) for component in found])
        return
    from rich.markup import escape
    from rich.table import Table

    for wanted in KINDS:
        rows = [component for component in found if component.kind == wanted]
        if not rows:
            continue
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True, style="bold", min_width=26)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for component in rows:
            doc, owner = _first_line(component), component.owner
            table.add_row(
                component.name, escape(doc if owner.startswith(OWN) else f"[{owner}] {doc}")
            )
        out.print(f"[cyan]{wanted}s[/cyan]")
        out.print(table)
    for clash in registry().clashes:
        one_line("warning", "yellow", clash)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of a component, or owner/name.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one component: its options with types and defaults, and its documentation."""
    from echokit.cli.console import out, print_json
    from echokit.errors import PluginError, nearest
    from echokit.plugins import KINDS, registry

    bare = name.rpartition("/")[2]
    kinds = [k for k in KINDS if any(c.name == bare for c in registry().of_kind(k))]
    if not kinds:
        names = {c.name for c in registry().components}
        raise PluginError(f"No component is called {name!r}: {nearest(name, names)}")
    found = [registry().find(kind, name) for kind in kinds]
    if as_json:
        print_json([_describe(component) for component in found])
        return
    for component in found:
        described = _describe(component)
        owner = f"{component.owner} {component.version}".rstrip()
        out.print(f"[bold]{component.name}[/bold]  {component.kind} of {owner}")
        for option in described["options"]:
            default = f" = {option['default']}" if option["default"] is not None else ""
            out.print(f"  {option['name']}: {option['type']}{default}", markup=False)
        out.print("\n" + described["doc"], markup=False, soft_wrap=True)


def recipes() -> None:
    """List the recipes that `echokit run` knows, with their presets."""
    from echokit.cli.console import out
    from echokit.plugins import registry

    for component in registry().of_kind("recipe"):
        document = tomllib.loads(component.factory.read_text("utf-8"))
        out.print(f"[bold]{component.name}[/bold]  {document.get('title', '')}")
        out.print(f"  {document.get('description', '')}", markup=False)
        presets = ", ".join(
            f"{name} (default)" if name == document.get("default_preset") else name
            for name in document.get("presets", {})
        )
        out.print(f"  presets: {presets or 'none'}", markup=False)


def _describe(component: Component) -> dict[str, Any]:
    return {
        "kind": component.kind,
        "name": component.name,
        "owner": component.owner,
        "version": component.version,
        "options": [
            {"name": name, "type": _type(parameter), "default": _default(parameter)}
            for name, parameter in component.options.items()
        ],
        "doc": _doc(component),
    }


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
    return inspect.getdoc(component.factory) or "It is not documented."


def _first_line(component: Component) -> str:
    return _doc(component).partition("\n")[0]
