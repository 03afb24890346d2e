"""Who may import whom, and what no file may do: read from the source, and from fresh processes."""

import ast
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import echokit
from echokit.plugins.registry import registry

CORE = Path(echokit.__file__).parent
TREE = CORE.parent
PLUGINS = sorted(path.parent for path in (TREE / "plugins").glob("echokit_*/__init__.py"))
BENCHMARKS = [TREE / "benchmarks" / "echokit_benchmarks"]
CONTRACT = ("errors", "types", "interfaces", "hookspecs")
"""What a plugin author reads, from the bottom up."""
TOPICS = ("clips", "networks", "voting", "evaluation")
"""In the order in which they may import: each what stands to its left."""
JOURNEYS = ("runs", "studies")
ONLOOKERS = ("cli", "bench", "testing", "scaffold", "__main__", "pytest_plugin")
FOUNDATION = {*CONTRACT, "system"}
MAY_IMPORT = {
    **{name: set(CONTRACT[:place]) for place, name in enumerate(CONTRACT)},
    "system": set(CONTRACT),
    "plugins": FOUNDATION,
    "recipe": FOUNDATION | {"plugins"},
    "executors": FOUNDATION,
    **{name: FOUNDATION | set(TOPICS[:place]) for place, name in enumerate(TOPICS)},
    "saliency": FOUNDATION | {"clips", "networks", "voting"},
    "novelty": FOUNDATION | {"clips"},
    "engines": FOUNDATION,
    "folder": FOUNDATION | {"recipe"},
    "components": FOUNDATION
    | {*TOPICS, "saliency", "novelty", "engines", "plugins", "recipe", "executors", "folder"},
    **{
        name: FOUNDATION
        | {*TOPICS, "saliency", "novelty", "engines", "plugins", "recipe", "executors", "folder"}
        | {"components", "report"}
        for name in JOURNEYS
    },
    "export": FOUNDATION
    | {
        *TOPICS,
        "saliency",
        "novelty",
        "engines",
        "plugins",
        "recipe",
        "folder",
        "components",
        "studies",
    },
    "report": FOUNDATION | {*TOPICS, "saliency", "recipe"},
}
"""A room of the core -> the rooms that it may import, beside itself."""
PLUGIN_LIBRARIES = {"monai", "pytorchvideo", "captum", "pydicom", "torchvision", "av", "openpyxl"}
PLUGIN_LIBRARIES |= {"pynetdicom", "dicomweb_client", "highdicom", "requests", "prometheus_client"}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every import as (module, name); the name is empty for `import module`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ".".join([*package(path, node.level), *filter(None, [node.module])])
            yield from ((module, alias.name) for alias in node.names)


def package(path: Path, level: int) -> tuple[str, ...]:
    """What the leading dots of a relative import stand for."""
    root = next(p for p in (CORE, *PLUGINS, *BENCHMARKS) if path.is_relative_to(p))
    parts = path.parent.relative_to(root.parent).parts
    return parts[: len(parts) - level + 1] if level else ()


def files(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*.py"))
    assert found, folder
    return found


@pytest.mark.parametrize("path", files(CORE), ids=lambda p: p.relative_to(CORE).as_posix())
def test_the_core_knows_no_plugin_and_no_plugin_library(path):
    roots = {module.partition(".")[0] for module, _ in imports(path)}
    assert {root for root in roots if root.startswith("echokit_")} == set()
    assert roots & PLUGIN_LIBRARIES == set()


WORDS = {"attention", "borda", "files", "monai", "stacking"}
"""Names of components that are words of their own, or a library's name."""


def first_party() -> set[str]:
    """The names of the components and recipes of echokit's own plugins, not of the core."""
    ours = (c for c in registry().components if c.distribution == "echokit-cardiac")
    plugins = (c for c in ours if not c.factory.__module__.startswith("echokit."))
    return {component.name for component in plugins} - WORDS


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """Every text in a file that is no docstring, with its line."""
    tree = ast.parse(path.read_text("utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.lineno, node.value


@pytest.mark.parametrize("path", files(CORE), ids=lambda p: p.relative_to(CORE).as_posix())
def test_no_file_of_the_core_names_a_component_or_recipe_of_a_plugin(path):
    names = "|".join(map(re.escape, sorted(first_party(), key=len, reverse=True)))
    named = re.compile(rf"(?<![\w-])({names})(?![\w-])")
    assert [(line, text) for line, text in literals(path) if named.search(text)] == []


@pytest.mark.parametrize("package", PLUGINS, ids=lambda p: p.name)
def test_a_plugin_uses_the_public_api_only(package):
    wrong = []
    for path in files(package):
        for module, name in imports(path):
            root = module.partition(".")[0]
            public = module == "echokit" and name in echokit.__all__
            if root == "echokit" and not public:
                wrong.append((path.name, module, name))
            if root.startswith("echokit_") and root != package.name:
                wrong.append((path.name, module, name))
    assert wrong == []


@pytest.mark.parametrize("package", PLUGINS, ids=lambda p: p.name)
def test_a_plugin_imports_nothing_heavy_when_it_is_listed(package):
    tree = ast.parse((package / "__init__.py").read_text("utf-8"))
    roots = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            roots |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").partition(".")[0])
    heavy = {"torch", "scipy", "sklearn", "pandas", "matplotlib", "sqlalchemy", *PLUGIN_LIBRARIES}
    assert roots & heavy == set()


@pytest.mark.parametrize("package", PLUGINS, ids=lambda p: p.name)
def test_no_file_of_a_plugin_takes_the_name_of_what_it_defines(package):
    """Importing `package.name` binds the module in the package, over a factory of that name."""
    tree = ast.parse((package / "__init__.py").read_text("utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    below = {path.stem if path.is_file() else path.name for path in package.iterdir()}
    assert defined & below == set()


def room(path: Path) -> str:
    """The folder or root module of the core that a file belongs to."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def own(path: Path) -> Iterator[str]:
    """The core's modules that a file imports, in full."""
    for module, name in imports(path):
        if module == "echokit" or module.startswith("echokit."):
            whole = CORE.joinpath(*module.split(".")[1:], name)
            is_module = name and (whole.is_dir() or whole.with_suffix(".py").is_file())
            yield f"{module}.{name}" if is_module else module


ROOMS = [path for path in files(CORE) if room(path) not in (*ONLOOKERS, "__init__")]


@pytest.mark.parametrize("path", ROOMS, ids=lambda p: p.relative_to(CORE).as_posix())
def test_a_file_imports_only_the_rooms_that_the_law_names(path):
    here = room(path)
    used = {name.split(".")[1] for name in own(path) if "." in name}
    assert used - {here} - MAY_IMPORT[here] == set()


def test_no_two_files_import_each_other_even_by_way_of_others():
    graph: dict[str, set[str]] = {}
    for path in files(CORE):
        parts = path.relative_to(CORE.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        graph[name] = {used for used in own(path) if used not in (name, "echokit")}
    order = TopologicalSorter(graph)
    order.prepare()  # raises CycleError, which names the circle


def test_the_root_holds_nine_modules_at_most():
    assert len(list(CORE.glob("*.py"))) <= 9


@pytest.mark.parametrize("path", files(CORE / "report"), ids=lambda p: p.stem)
def test_the_report_is_made_of_result_files_without_torch(path):
    modules = {module for module, _ in imports(path)}
    assert {m for m in modules if m.partition(".")[0] == "torch"} == set()


LIGHT = [
    path for room in ("clips", "voting", "evaluation", "novelty") for path in files(CORE / room)
]


@pytest.mark.parametrize("path", LIGHT, ids=lambda p: p.relative_to(CORE).as_posix())
def test_a_topic_without_networks_imports_no_torch_itself(path):
    tree = ast.parse(path.read_text("utf-8"))
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert "torch" not in ast.unparse(ast.Module(top, []))


SOURCES = [p for folder in (CORE, *PLUGINS, *BENCHMARKS) for p in files(folder)]
UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def every_call() -> Iterator[tuple[Path, ast.Call, str, bool]]:
    """Every call in the tree: its file, node, dotted name, and whether it is within fork_rng."""
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        forked = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.With) and "fork_rng" in ast.unparse(node.items[0])
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, node, ast.unparse(node.func), id(node) in forked


def test_nothing_that_unpickles_is_imported():
    found = {
        (path.name, root)
        for path in SOURCES
        for root in {module.partition(".")[0] for module, _ in imports(path)} & UNPICKLERS
    }
    assert found == set()


def test_nothing_is_unpickled_and_no_shell_is_started():
    wrong = []
    for path, call, name, _ in every_call():
        keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
        if (
            (name.endswith("torch.load") and keywords.get("weights_only") != "True")
            or keywords.get("allow_pickle", "False") != "False"
            or "object_codec" in keywords
            or "shell" in keywords
            or name in ("torch.save", "pd.read_pickle", "pandas.read_pickle")
            or name in ("eval", "exec", "os.system", "os.popen")
            or name in ("subprocess.getoutput", "subprocess.getstatusoutput")
        ):
            wrong.append((path.name, call.lineno, name))
    assert wrong == []


def test_nobody_seeds_a_global_generator():
    seeders = {"np.random.seed", "numpy.random.seed", "random.seed", "seed_everything"}
    seeders |= {"pl.seed_everything", "monai.utils.set_determinism", "set_determinism"}
    wrong = []
    for path, call, name, forked in every_call():
        torch_seed = name in ("torch.manual_seed", "torch.seed", "torch.cuda.manual_seed_all")
        if name in seeders or (torch_seed and not forked):
            wrong.append((path.name, call.lineno, name))
    assert wrong == []


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)


HEAVY = ("torch", "monai", "captum", "torchvision", "pandas", "sklearn", "scipy", "zarr", "av")


@pytest.mark.parametrize(
    "body",
    [
        "import echokit",
        "import echokit.cli",
        "import echokit.plugins.registry; echokit.plugins.registry.registry()",
        "import echokit.recipe; echokit.recipe.load_recipe('ph-newborn').check_components()",
        "sys.argv = ['echokit', 'plugins', 'list']; from echokit.cli import main; main()",
        "sys.argv = ['echokit', 'recipes']; from echokit.cli import main; main()",
        "sys.argv = ['echokit', '--help']; from echokit.cli import main; main()",
    ],
)
def test_no_heavy_library_is_imported_to_look_around(body):
    report = "atexit.register(lambda: print('HEAVY', [m for m in HEAVY if m in sys.modules]))"
    done = run("-c", f"import atexit, sys; HEAVY = {HEAVY}; {report}; {body}")
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_starts_within_half_a_second():
    def seconds() -> float:
        """CPU time, which other work on the machine hardly stretches."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert "plugins" in run("-m", "echokit", "--help").stdout
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # the machine's slow moments are not the command's: the first good try of a few counts
    assert any(seconds() <= 0.5 for _ in range(12))
