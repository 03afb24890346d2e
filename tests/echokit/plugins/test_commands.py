"""Commands that plugins add: found when asked for, owned, and never in the way of echokit's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from echokit import PluginError, hookimpl
from echokit.cli import Commands, app
from echokit.cli.groups import load_command
from echokit.plugins.commands import OWN_COMMANDS
from echokit.plugins.registry import PluginWarning, Registry

GREETING = """
from typing import Annotated
import typer
from echokit import hookimpl

@hookimpl
def register_commands(group):
    @group.command("greet")
    def greet(name: Annotated[str, typer.Argument(help="Whom to greet.")] = "you") -> None:
        '''Greet somebody.'''
        typer.echo(f"Good day, {name}.")

    more = typer.Typer(help="More of it.", no_args_is_help=True)
    group.add_typer(more, name="more")

    @more.command("twice")
    def twice() -> None:
        '''Greet twice.'''
        typer.echo("Good day, good day.")
"""


def install(site: Path, distribution: str, source: str) -> None:
    name = distribution.replace("-", "_")
    (site / f"{name}.py").write_text(source, "utf-8")
    info = site / f"{name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[echokit]\nx = {name}\n")


def typed(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What `echokit WORDS` prints in a fresh process that sees the distributions in `site`."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "echokit", *words],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_plugins_command_and_group_run_and_stand_in_the_help(tmp_path):
    install(tmp_path, "echokit-hello", GREETING)
    assert typed(tmp_path, "greet", "Ada").stdout == "Good day, Ada.\n"
    assert typed(tmp_path, "more", "twice").stdout == "Good day, good day.\n"
    help = typed(tmp_path, "--help")
    assert help.returncode == 0
    for words in ("greet", "Greet somebody.", "more", "More of it.", "predict"):
        assert words in help.stdout


def test_a_broken_command_plugin_is_a_warning_with_its_distribution_and_the_rest_works(tmp_path):
    install(tmp_path, "echokit-hello", GREETING)
    install(tmp_path, "echokit-bad", GREETING.replace("more = typer", "more = no_such_name"))
    shown = typed(tmp_path, "--help")
    assert shown.returncode == 0
    assert "greet" in shown.stdout
    assert "echokit-bad:x is not used" in " ".join(shown.stderr.split())
    assert "Traceback" not in shown.stderr


class Hello:
    """Registers one command under a name."""

    def __init__(self, name: str, answer: str = "") -> None:
        self.name, self.answer = name, answer

    @hookimpl
    def register_commands(self, group: Any) -> None:
        @group.command(self.name)
        def hello() -> None:
            """Say hello."""
            print(self.answer)

    @hookimpl
    def register_aggregators(self, register: Any) -> None:
        register("hello-vote", lambda: None)


def output(*words: str) -> str:
    done = CliRunner().invoke(app, words, env={"COLUMNS": "120"})
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_name_of_two_plugins_is_refused_naming_both_and_each_runs_by_its_full_name(
    isolated_plugins,
):
    isolated_plugins.add(Hello("hello", "one"), "echokit-a:a")
    isolated_plugins.add(Hello("hello", "two"), "echokit-b:b")
    with pytest.raises(PluginError) as refused:
        output("hello")
    assert {"echokit-a:a", "echokit-b:b"} <= set(str(refused.value).split())
    assert output("echokit-b:b/hello") == "two\n"
    assert "echokit-a:a/hello" in typer.main.get_group(app).list_commands(None)
    assert "Say hello." in output("--help")


@pytest.mark.parametrize("name", OWN_COMMANDS)
def test_a_name_of_echokits_own_is_refused_and_the_plugins_other_parts_are_used(name):
    registry = Registry()
    with pytest.warns(PluginWarning) as told:
        registry.add(Hello(name), "echokit-a:a")
    assert {"echokit-a:a:", "echokit-cardiac", repr(name)} <= set(str(told[0].message).split())
    assert [component.name for component in registry.components] == ["hello-vote"]


def test_the_list_of_echokits_own_commands_is_complete():
    own = {name: getattr(load_command(name), "commands", {}) for name in Commands.modules}
    assert {name: sorted(below) for name, below in own.items()} == {
        name: sorted(below) for name, below in OWN_COMMANDS.items()
    }


class Below:
    """Adds a command to one of echokit's own groups."""

    def __init__(self, group: str, name: str, answer: str = "") -> None:
        self.group, self.name, self.answer = group, name, answer

    @hookimpl
    def register_commands(self, group: Any) -> None:
        mine = typer.Typer()

        @mine.command(self.name)
        def hello() -> None:
            """Say hello."""
            print(self.answer)

        group.add_typer(mine, name=self.group)


def test_a_plugin_adds_a_command_to_a_group_that_echokit_has(isolated_plugins):
    isolated_plugins.add(Below("data", "hello", "one"), "echokit-a:a")
    assert output("data", "hello") == "one\n"
    assert "Say hello." in output("data", "--help")
    assert "check" in output("data", "--help")
    assert "Say hello." not in output("--help")
    isolated_plugins.add(Below("data", "hello", "two"), "echokit-b:b")
    with pytest.raises(PluginError):
        output("data", "hello")
    assert output("data", "echokit-b:b/hello") == "two\n"
    assert "echokit-a:a/hello" in load_command("data").list_commands(None)


def test_a_command_that_a_group_of_echokits_has_is_refused():
    registry = Registry()
    with pytest.warns(PluginWarning, match="'data check'"):
        registry.add(Below("data", "check"), "echokit-a:a")
    assert registry.components == []


def test_an_own_command_is_looked_up_without_loading_any_plugin(monkeypatch):
    def refuse() -> None:
        raise AssertionError("the registry was loaded")

    monkeypatch.setattr("echokit.plugins.registry.registry", refuse)
    assert "--preset" in output("run", "--help")


def test_an_unknown_command_is_an_error_of_usage(isolated_plugins):
    isolated_plugins.add(Hello("hello"), "echokit-a:a")
    done = CliRunner().invoke(app, ["no-such-command"])
    assert done.exit_code == 2


@pytest.mark.parametrize("change", ["twice", "callback"])
def test_what_would_be_lost_or_change_the_whole_group_is_refused(change):
    class Odd:
        @hookimpl
        def register_commands(self, group: Any) -> None:
            if change == "callback":
                group.callback()(lambda: None)
            group.command("one")(lambda: None)
            if change == "twice":
                group.command("one")(lambda: None)

    registry = Registry()
    with pytest.raises(PluginError):
        registry.add(Odd(), "echokit-a:a")
    assert registry.components == []
