"""The plugin registry: finds plugins and makes components by name."""

from echokit.plugins.registry import resolve

__all__ = ["resolve"]
