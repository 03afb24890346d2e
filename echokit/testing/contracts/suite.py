"""A contract as a class: each rule one `test_` method, its docstring the rule in a sentence.

A class of a plugin's own tests subclasses it, and pytest runs the rules; `echokit plugins check`
and the `check_` functions run them without pytest.
"""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

from echokit.plugins.registry import Kind, resolve
from echokit.testing.contracts.rules import ContractError, NotMadeError


class Contract:
    """What every component of a kind must do.

    ```python
    class TestTiny3d(BackboneContract):
        component = "tiny3d"
        options = {"width": 4}
    ```
    """

    kind: ClassVar[Kind]
    component: ClassVar[str] = ""
    """Registered name, or `owner/name`."""
    options: ClassVar[Mapping[str, Any]] = {}
    """Options that it is made with: small ones make quick tests."""
    factory: Callable[..., Any] | None = None
    """Makes the component instead, without a registry; options are not given to it."""

    def __init_subclass__(cls) -> None:
        """Hide the rules that do not apply to the component, so that pytest collects the others."""
        super().__init_subclass__()
        hidden = cls().inapplicable() if cls.component or cls.factory else {}
        for name, _ in rules(cls):
            if name in hidden:
                setattr(cls, name, None)
            elif getattr(cls, name) is None:  # which a class between hid
                setattr(cls, name, next(r for c in cls.__mro__ if (r := vars(c).get(name))))

    def inapplicable(self) -> Mapping[str, str]:
        """Name the rules that do not apply to this component, each with the reason.

        The attributes alone decide, so that it is known before any rule is tried.
        """
        return {}

    @classmethod
    def of(cls, factory: Callable[..., Any], **attributes: Any) -> Self:
        """The contract of what a factory makes."""
        contract = cls()
        contract.factory = factory
        for name, value in attributes.items():
            setattr(contract, name, value)
        return contract

    @property
    def make(self) -> Callable[..., Any]:
        """Makes the component; takes what its kind needs, such as `num_classes`.

        What it returns raises `NotMadeError` where the factory raises.
        """
        factory = self.factory or partial(resolve, self.kind, self.component, **self.options)

        def make(*given: Any, **needs: Any) -> Any:
            try:
                return factory(*given, **needs)
            except Exception as error:  # a stranger's factory may raise anything
                written = ", ".join([*map(repr, given), *(f"{k}={v!r}" for k, v in needs.items())])
                raise NotMadeError(
                    f"factory({written}) raised {type(error).__name__}: {error}"
                ) from error

        return make


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one rule fared."""

    rule: str
    """Name of the rule."""
    sentence: str
    """The rule in words."""
    broken: str | None
    """How it is broken; None where it is kept, or was not tried."""
    not_tried: str | None = None
    """Why it could not be tried; None where it was."""

    @property
    def kept(self) -> bool:
        """True if it was tried and held."""
        return self.broken is None and self.not_tried is None


def rules(contract: type[Contract]) -> Iterator[tuple[str, str]]:
    """Name and sentence of every rule of a contract, in order."""
    methods: dict[str, Any] = {}
    for place in reversed(contract.__mro__):
        for name, method in vars(place).items():
            if name.startswith("test_") and method is not None:
                methods[name] = method
    for name, method in methods.items():
        yield name, " ".join((inspect.getdoc(method) or "").split())


def judge(contract: Contract) -> Iterator[Verdict]:
    """Try every rule that applies; none more where the factory raises."""
    untried, unmade = contract.inapplicable(), False
    for name, sentence in rules(type(contract)):
        broken, not_tried = None, untried.get(name)
        if unmade:
            not_tried = "The component could not be made."
        if not_tried is None:
            try:
                _try(getattr(contract, name))
            except ContractError as error:
                broken, unmade = str(error), isinstance(error, NotMadeError)
            except Exception as error:  # a stranger's component may raise anything
                broken = f"It raised {type(error).__name__}: {error}"
        rule = name.removeprefix("test_").replace("_", " ")
        yield Verdict(rule, sentence, broken, not_tried)


def keep(contract: Contract) -> None:
    """Try every rule of a contract that applies.

    Raises:
        ContractError: a rule is broken; the first one.
    """
    for verdict in judge(contract):
        if verdict.broken is not None:
            raise ContractError(verdict.broken)


def _try(method: Callable[..., None]) -> None:
    """Try one rule, in an empty folder if it asks for one as a pytest test does."""
    with tempfile.TemporaryDirectory() as folder:
        asked = "tmp_path" in inspect.signature(method).parameters
        method(**({"tmp_path": Path(folder)} if asked else {}))
