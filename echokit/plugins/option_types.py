"""Types of options, read from a factory's signature without importing what it names."""

from __future__ import annotations

import ast
import inspect
from numbers import Integral, Real

_PLAIN = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "None": "nothing",
}
"""Type as a signature writes it -> what to give."""


def wanted_instead(annotation: object, value: object) -> str:
    """Say what an option takes, if a value is of another type.

    Args:
        annotation: of the factory's parameter.
        value: what was given.

    Returns:
        What to give, in words; empty if the value fits, or if the annotation names another type
        than `int`, `float`, `bool`, `str` and `None`, whose values the factory judges.
    """
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    try:
        types = _alternatives(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError):
        return ""
    if any(_fits(kind, value) for kind in types):
        return ""
    return " or ".join(_PLAIN[kind] for kind in types)


def _alternatives(node: ast.expr) -> list[str]:
    """Return the plain types that an annotation names.

    Raises:
        ValueError: it names another type.
    """
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _alternatives(node.left) + _alternatives(node.right)
    if isinstance(node, ast.Constant) and node.value is None:
        return ["None"]
    if isinstance(node, ast.Name) and node.id in _PLAIN:
        return [node.id]
    raise ValueError(ast.unparse(node))


def _fits(kind: str, value: object) -> bool:
    if kind == "None":
        return value is None
    if kind in ("int", "float"):
        wanted = Integral if kind == "int" else Real
        return isinstance(value, wanted) and not isinstance(value, bool)
    return isinstance(value, bool if kind == "bool" else str)
