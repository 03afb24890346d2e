"""Progress without a terminal: lines with a time stamp."""

import re

import pytest

from echokit.cli.log_lines import Lines


def test_a_step_is_a_line_at_its_end_and_one_a_minute():
    said, now = [], [0.0]
    with Lines(said.append, lambda: now[0]).bar("Training", 100, "sequences") as tick:
        for _ in range(10):
            now[0] += 20.0
            tick(10)
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", "", line) for line in said] == [
        "Training: 30 of 100 sequences (0.5 sequences/s, 2 min left)",
        "Training: 60 of 100 sequences (0.5 sequences/s, 1 min left)",
        "Training: 90 of 100 sequences (0.5 sequences/s, 0 min left)",
        "Training: 100 sequences in 200 s",
    ]


def test_a_step_that_fails_has_no_line_that_says_it_ended():
    said: list[str] = []
    with pytest.raises(ValueError, match="no"), Lines(said.append).bar("Training", 1, "clips"):
        raise ValueError("no")
    assert said == []
