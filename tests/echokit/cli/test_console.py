"""The terminal does not obey what stands in names."""

import io

import pytest
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from echokit.cli.console import Terminal

HOSTILE = "a\x1b[2J\x1b]0;title\x07b\x9b31mc\rd\x08\u202ee"


@pytest.fixture
def shown():
    """Print to a terminal of colours; return what it received."""

    def show(*values: object, **options: object) -> str:
        file = io.StringIO()
        Terminal(file=file, force_terminal=True, highlight=False, width=80).print(
            *values, **options
        )
        return file.getvalue()

    return show


def test_control_characters_are_shown_and_not_obeyed(shown):
    table = Table()
    table.add_column("clip")
    table.add_row(Text(HOSTILE))
    for value in (HOSTILE, Text(HOSTILE), table):
        text = shown(value, markup=False)
        for command in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\r", "\x08", "\u202e"):
            assert command not in text
        assert "a?[2J" in text


def test_the_terminal_s_own_colours_stay(shown):
    assert shown("[bold]x[/bold]") == "\x1b[1mx\x1b[0m\n"


@pytest.mark.parametrize("name", ["[/bold]", "[red]x", "[link=file:///x]y[/link]", "[["])
def test_markup_in_a_name_is_text(shown, name):
    assert name in shown(name, markup=False)
    assert name in shown(Text.assemble((name, "bold")))
    assert name in shown(escape(name))
