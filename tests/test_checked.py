"""Types and shapes are checked in all of echokit and its plugins while the tests run."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import checked
import numpy as np
import pytest
from jaxtyping import TypeCheckError

from echokit import Saliency
from echokit.clips.sequences import voting_starts

PACKAGES = sorted(
    {name.partition(".")[0] for name in sys.modules if name.startswith("echokit")}
    | {module.name for module in pkgutil.iter_modules() if module.name.startswith("echokit_")}
)


def test_every_annotation_of_every_module_can_be_resolved() -> None:
    assert len(PACKAGES) > 10
    for package in PACKAGES:
        root = import_module(package)
        for module in pkgutil.walk_packages(root.__path__, f"{package}."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    unresolved = {}
    for function in checked.definitions:
        try:
            checked.resolved(function)
        except Exception as error:  # of any kind: a type checker raises its own
            unresolved[f"{function.__module__}.{function.__qualname__}"] = str(error)
    assert unresolved == {}
    assert len(checked.definitions) > 1500


def test_a_wrong_shape_is_seen_in_a_plugin() -> None:
    from echokit_phantom.curves import normals

    assert normals(np.zeros((2, 5, 2))).shape == (2, 5, 2)
    with pytest.raises(TypeCheckError, match="T n 2"):
        normals(np.zeros((2, 5, 3)))


def test_a_wrong_shape_is_seen_in_a_value_that_echokit_makes() -> None:
    flat = np.zeros((4, 4), np.float32)
    assert Saliency(flat, 0, "a test makes what it likes").values is flat
    code = compile("Saliency(flat, 0, 'x')", "a plugin", "eval")
    with pytest.raises(TypeCheckError, match="values"):
        eval(code, {"__name__": "echokit_plugin", "Saliency": Saliency, "flat": flat})


def test_a_wrong_type_is_seen_in_a_topic() -> None:
    with pytest.raises(Exception, match="frames") as caught:
        voting_starts("clip", "forty", 12, 3)
    assert type(caught.value).__module__.startswith(("beartype", "jaxtyping"))
