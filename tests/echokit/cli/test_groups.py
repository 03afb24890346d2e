"""Commands in modules of their own: the help imports none, and says what each of them says."""

import pytest
from typer.testing import CliRunner

from echokit.cli import Commands, app
from echokit.cli.groups import load_command


@pytest.mark.parametrize("name", Commands.modules)
def test_the_line_of_a_command_is_how_its_own_help_begins(name):
    command = load_command(name)
    assert command.name == name
    assert Commands.modules[name] == " ".join(command.help.partition("\n\n")[0].split())


def test_help_imports_none_of_their_modules(monkeypatch):
    asked = []
    monkeypatch.setattr("echokit.cli.groups.import_module", asked.append)
    done = CliRunner().invoke(app, ["--help"])
    assert done.exit_code == 0
    assert all(name in done.stdout for name in Commands.modules)
    assert asked == []
