"""Check every annotation of echokit and its plugins, array shapes among them, while tests run.

`jaxtyping.install_import_hook` resolves annotations when a function is defined: a name that is
imported for type checkers only, or defined further down, becomes `Any` without a word. Here a
function's annotations are resolved at its first call, with the names that its module imports under
`if TYPE_CHECKING`, so that the modules need no import for the sake of their tests. What is imported
after this module is checked.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import Any

from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray, jaxtyped

PACKAGES = ("echokit",)
"""Modules whose first name starts so are checked: the core, the plugins and the benchmarks."""
WHOLLY = ("clips", "evaluation", "networks", "saliency", "voting")
"""Topics of the core in which every type is checked; elsewhere, where tests pass stand-ins for
recipes and runs, those of arrays are, and mypy's word is taken for the others."""
DECORATOR = "__checked__"
"""What a checked module knows `checked` by; no name of a module collides with it."""
_blocks: dict[str, list[ast.If]] = {}
"""The blocks `if TYPE_CHECKING` of every checked module."""
_imported: dict[str, dict[str, Any]] = {}
"""What they import, where it has been needed."""
definitions: list[Callable[..., Any]] = []
"""Every function that is checked, and for every dataclass one that takes its fields."""

_check_arrays = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""As mypy, takes an int for a float."""


def checked(definition: Any) -> Any:
    """Check a function's arguments and result, or a dataclass's fields, at every call."""
    if inspect.isclass(definition):
        if is_dataclass(definition) and "__init__" in vars(definition):
            init = definition.__init__
            if not hasattr(init, "__wrapped__"):  # one written by hand is a checked function
                definition.__init__ = _fields_checked(definition, init)  # type: ignore[misc]
        return definition
    return _function_checked(definition) if inspect.isfunction(definition) else definition


def _function_checked(function: types.FunctionType) -> Callable[..., Any]:
    definitions.append(function)
    ready: Callable[..., Any] | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        nonlocal ready
        if ready is None:
            ready = resolved(function)
        return ready(*args, **kwargs)

    return call


def _fields_checked(owner: type, init: Any) -> Callable[..., None]:
    fields = _same_parameters(owner, init)
    definitions.append(fields)
    ready: Callable[..., Any] | None = None

    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        __tracebackhide__ = True
        nonlocal ready
        init(self, *args, **kwargs)  # what the class itself refuses, it refuses first
        if not _is_checked(sys._getframe(1)):
            return  # a test makes a wrong value to see it refused
        if ready is None:
            ready = resolved(fields)
        ready(self, *args, **kwargs)

    return call


def _is_checked(frame: types.FrameType | None) -> bool:
    """Whether code of a checked module makes a value, by itself or by `dataclasses.replace`."""
    while frame is not None and frame.f_globals.get("__name__") == "dataclasses":
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith(PACKAGES)


def _same_parameters(owner: type, init: Any) -> types.FunctionType:
    """A function that takes what a dataclass takes and does nothing."""
    names = list(inspect.signature(init).parameters)
    scope: dict[str, Any] = {}
    text = f"def nothing({', '.join(names)}): pass"
    exec(text, scope)  # the names are those of fields
    nothing = scope["nothing"]
    parameters = list(inspect.signature(init).parameters.values())
    nothing.__defaults__ = tuple(p.default for p in parameters if p.default is not p.empty)
    nothing.__annotations__ = dict(init.__annotations__)
    nothing.__module__, nothing.__qualname__ = owner.__module__, owner.__qualname__
    return nothing


def resolved(function: Any) -> Callable[..., Any]:
    """A copy of a function that is checked against its annotations; itself if there is no need.

    Raises:
        NameError: an annotation names what its module neither defines nor imports.
    """
    module = sys.modules[function.__module__]
    hints = {name: _hint(text, module) for name, text in function.__annotations__.items()}
    arrays = {name: hint for name, hint in hints.items() if _mentions_arrays(hint)}
    wholly = module.__name__.startswith(tuple(f"echokit.{topic}" for topic in WHOLLY))
    if not (arrays or wholly):
        return function  # type: ignore[no-any-return]
    copy = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__annotations__ = hints if wholly else arrays
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    check = beartype if wholly else _check_arrays
    return jaxtyped(copy, typechecker=check) if arrays else check(copy)


def _hint(text: Any, module: types.ModuleType) -> Any:
    """An annotation's type, by the names of its module and those it imports for type checkers."""
    annotation = types.SimpleNamespace(__annotations__={"it": text})
    try:
        try:
            return typing.get_type_hints(annotation, vars(module), include_extras=True)["it"]
        except NameError:
            names = _type_checking_names(module.__name__)
            names = _type_checking_names("echokit.interfaces") | names  # what `Forward` is made of
            names = vars(module) | names
            return typing.get_type_hints(annotation, names, include_extras=True)["it"]
    except TypeError as error:
        if "not subscriptable" not in str(error):
            raise
        return Any  # such as pandas' Series[str], which type checkers alone can read


def _mentions_arrays(hint: Any) -> bool:
    """Whether values of a type are arrays or hold some; what a function takes cannot be checked."""
    if inspect.isclass(hint) and issubclass(hint, AbstractArray):
        return True
    if typing.get_origin(hint) is Callable:
        return False
    return any(_mentions_arrays(part) for part in typing.get_args(hint))


def _type_checking_names(module: str) -> dict[str, Any]:
    """What a module imports for type checkers only, imported at the first call of this."""
    if module not in _imported:
        _imported[module] = {"__name__": module}
        for block in _blocks[module]:
            code = compile(ast.Module(block.body, []), module, "exec")
            exec(code, _imported[module])  # imports of the module's own text
    return _imported[module]


class _Decorate(ast.NodeTransformer):
    """Put the decorator on every function (innermost) and every class (outermost)."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list.append(self._decorator(node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list.insert(0, self._decorator(node))
        return node

    def _decorator(self, node: ast.stmt) -> ast.Name:
        return ast.copy_location(ast.Name(DECORATOR, ast.Load()), node)


class _Loader(SourceFileLoader):
    """Reads a module with the decorator on all that it defines; nothing of it is cached."""

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path), path)
        _blocks[fullname] = [
            node
            for node in tree.body
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        ]
        return compile(ast.fix_missing_locations(_Decorate().visit(tree)), path, "exec")

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module)[DECORATOR] = checked
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith(PACKAGES) or name == "echokit.pytest_plugin":
            return None  # pytest asks its fixtures whether they are generators
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(name, spec.loader.path)
        return spec


for _name in [name for name in sys.modules if name.startswith(PACKAGES)]:
    if _name != "echokit.pytest_plugin":  # which pytest has loaded, and needs nothing of the others
        del sys.modules[_name]
sys.meta_path.insert(0, _Finder())
