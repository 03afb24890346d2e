"""`echokit run --dry-run` refuses what the run would refuse, in the same words."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from echokit import OptionError
from echokit.cli import app


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("backbone.width=-8", r"width=-8: give a whole number from 1"),
        ("prepare.resize.size=1", r"size=1 is refused: give a number in \[8, 10000\]"),
    ],
)
def test_a_dry_run_refuses_the_options_that_a_run_refuses(setting, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["run", "ph-newborn", "--preset", "quick", "--set", setting]
    for more in (["--dry-run"], ["--quiet", "--out", "made"]):
        error = CliRunner().invoke(app, [*words, *more]).exception
        assert isinstance(error, OptionError)
        with pytest.raises(OptionError, match=message):
            raise error
    assert list(tmp_path.iterdir()) == []
