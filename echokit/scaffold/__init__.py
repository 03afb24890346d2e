"""A new plugin, written whole: package, tests, README."""

from echokit.scaffold.write import how_to_use, write_plugin

__all__ = ["how_to_use", "write_plugin"]
