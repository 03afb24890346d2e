"""`echokit recipes`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import typer

from echokit.cli.console import out
from echokit.plugins.registry import registry
from echokit.recipe import load_recipe

app = typer.Typer(help="List the recipes that `echokit run` knows, or show one.")


@app.callback(invoke_without_command=True)
def recipes(context: typer.Context) -> None:
    """List the recipes that `echokit run` knows, with their presets; or show one."""
    if context.invoked_subcommand is None:
        list_recipes()


@app.command("list")
def list_recipes() -> None:
    """List the recipes, with their presets."""
    for component in registry().of_kind("recipe"):
        document = tomllib.loads(component.factory.read_text("utf-8"))
        out.print(f"[bold]{component.name}[/bold]  {document.get('title', '')}")
        out.print(f"  {document.get('description', '')}", markup=False)
        presets = ", ".join(
            f"{name} (default)" if name == document.get("default_preset") else name
            for name in document.get("presets", {})
        )
        out.print(f"  presets: {presets or 'none'}", markup=False)


@app.command("show")
def show(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe, or the path of its TOML file.")],
    preset: Annotated[str | None, typer.Option(help="One of its presets.")] = None,
    config: Annotated[
        list[Path] | None, typer.Option(help="TOML file laid over it. Repeatable.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Override one key. Repeatable.")
    ] = None,
) -> None:
    """Show a recipe with every key, as a run with these options would use it, as TOML."""
    resolved = load_recipe(recipe, preset=preset, config=config, settings=settings or ())
    typer.echo(resolved.to_toml(), nl=False)
