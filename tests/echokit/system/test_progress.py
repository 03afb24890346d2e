"""Progress is told to whatever a caller gives."""

from __future__ import annotations

from contextlib import contextmanager

from echokit.system.progress import Progress, Silent, watched


def test_a_function_hears_of_the_start_and_of_every_unit():
    told = []
    with watched(lambda *step: told.append(step)).bar("Reading", 5, "files") as tick:
        tick(2)
        tick(0)
        tick(3)
    assert told == [("Reading", 0, 5), ("Reading", 2, 5), ("Reading", 2, 5), ("Reading", 5, 5)]


def test_an_object_with_a_bar_is_used_as_it_is():
    class Bars:
        @contextmanager
        def bar(self, title, total, unit):
            yield print

        def __call__(self, *_):
            raise AssertionError("it has a bar")

    bars = Bars()
    assert isinstance(bars, Progress)
    assert watched(bars) is bars


def test_nothing_is_silence():
    assert isinstance(watched(None), Silent)
    with watched(None).bar("Reading", 1, "files") as tick:
        tick(1)
