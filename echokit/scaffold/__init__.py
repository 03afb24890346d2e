"""A new plugin, written whole: package, tests, README."""

from echokit.scaffold.write import write_plugin

__all__ = ["write_plugin"]
