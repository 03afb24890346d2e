"""Plugins: found by entry point, kept with their owner, and never able to break the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from echokit import INTERFACE, OptionError, PluginError, deprecated_option, hookimpl, resolve
from echokit.plugins.registry import KINDS, PluginWarning, Registry, check_options
from echokit.plugins.renamed import DeprecatedOptionWarning

GOOD = """
from echokit import hookimpl

class Named:
    def __init__(self, **options): self.options = options

def {name}(*, width: int = 8): return Named(width=width)

@hookimpl
def register_aggregators(register): register("{name}-vote", {name})
"""


def install(site: Path, distribution: str, entry_point: str, module: str, source: str) -> None:
    """Lay out a distribution as pip does: a module and its dist-info."""
    site.mkdir(exist_ok=True)
    (site / f"{module}.py").write_text(dedent(source), "utf-8")
    info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[echokit]\n{entry_point} = {module}\n")


def ask(site: Path, body: str) -> tuple[object, str]:
    """Run a script in a fresh process that sees the distributions in `site`; its JSON, stderr."""
    names = "import json; from echokit.plugins.registry import *; from echokit import *"
    script = f"{names}\n{dedent(body)}"
    first = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": first},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout), done.stderr


def test_an_installed_distribution_is_found_and_its_component_made(tmp_path):
    install(tmp_path, "echokit-mean", "mean", "echokit_mean", GOOD.format(name="mean"))
    body = """
    found = registry().find("aggregator", "mean-vote")
    made = resolve("aggregator", "mean-vote", width=3).options
    print(json.dumps([found.owner, found.version, found.full_name, made]))
    """
    answer, stderr = ask(tmp_path, body)
    assert answer == [
        "echokit-mean:mean",
        "1.2",
        "echokit-mean:mean/mean-vote",
        {"width": 3},
    ]
    assert "echokit-mean" not in stderr


def test_broken_plugins_are_named_and_the_others_keep_working(tmp_path):
    install(tmp_path, "echokit-good", "good", "echokit_good", GOOD.format(name="good"))
    install(tmp_path, "echokit-bad", "bad", "echokit_bad", "raise RuntimeError('no GPU today')")
    install(tmp_path, "echokit-gone", "gone", "echokit_gone", "import a_module_that_is_not_there")
    misspelt = GOOD.format(name="typo").replace("register_aggregators", "register_agregators")
    install(tmp_path, "echokit-typo", "typo", "echokit_typo", misspelt)
    body = """
    names = [c.name for c in registry().of_kind("aggregator")]
    print(json.dumps([names, [p for p in registry().problems if "cardiac" not in p]]))
    """
    (names, problems), stderr = ask(tmp_path, body)
    assert "good-vote" in names
    assert "typo-vote" not in names
    bad, gone, typo = problems
    assert bad.startswith(
        "Plugin echokit-bad:bad is not used: importing it raised RuntimeError: no"
    )
    assert bad.endswith("to remove it: pip uninstall echokit-bad")
    assert "echokit-gone:gone is not used: importing it raised ModuleNotFoundError" in gone
    assert "echokit-typo:typo" in typo
    assert "did you mean 'register_aggregators'" in typo
    assert stderr.count("PluginWarning") == 3
    assert "Traceback" not in stderr


def test_two_distributions_with_one_entry_point_name_both_load(tmp_path):
    install(tmp_path, "echokit-one", "extra", "echokit_one", GOOD.format(name="one"))
    install(tmp_path, "echokit-two", "extra", "echokit_two", GOOD.format(name="two"))
    body = 'print(json.dumps([[c.name, c.owner] for c in registry().of_kind("aggregator")]))'
    answer, _ = ask(tmp_path, body)
    assert ["one-vote", "echokit-one:extra"] in answer
    assert ["two-vote", "echokit-two:extra"] in answer


class Plugin:
    """Registers one backbone under a name."""

    def __init__(self, name: str, answer: str) -> None:
        self.name, self.answer = name, answer

    @hookimpl
    def register_backbones(self, register):
        def factory(num_classes: int, in_channels: int, *, width: int = 8) -> str:
            return f"{self.answer} {num_classes} {in_channels} {width}"

        register(self.name, factory)


@pytest.fixture
def two(empty_registry: Registry) -> Registry:
    """Two plugins that registered the same name."""
    empty_registry.add(Plugin("net", "first"), "echokit-a:a", "1.0")
    empty_registry.add(Plugin("net", "second"), "echokit-b:b", "2.0")
    return empty_registry


SHAPE = {"num_classes": 3, "in_channels": 1}


def test_a_taken_name_is_an_error_that_names_both_owners(two):
    with pytest.raises(PluginError, match="'echokit-a:a/net' or 'echokit-b:b/net'"):
        resolve("backbone", "net", **SHAPE)


@pytest.mark.parametrize("owner", ["echokit-b:b", "echokit-b"])
def test_the_owner_picks_one_of_two(two, owner):
    assert resolve("backbone", f"{owner}/net", **SHAPE, width=4) == "second 3 1 4"


def test_an_unknown_owner_is_refused(two):
    with pytest.raises(PluginError, match="echokit-c/net"):
        resolve("backbone", "echokit-c/net", **SHAPE)


def test_an_unknown_name_lists_the_nearest(tiny_plugin):
    with pytest.raises(PluginError, match=r"No backbone is called 'tiny3': did you mean 'tiny3d'"):
        resolve("backbone", "tiny3", **SHAPE)


def test_a_kind_without_any_component_says_so(empty_registry):
    with pytest.raises(PluginError, match="There are none to choose from"):
        resolve("explainer", "gradcam")


def test_an_unknown_kind_lists_the_kinds(tiny_plugin):
    with pytest.raises(PluginError, match=r"'backbones': did you mean 'backbone'"):
        resolve("backbones", "tiny3d")


def test_an_unknown_option_lists_the_nearest_valid_one(tiny_plugin):
    with pytest.raises(OptionError, match=r"no option 'widht': did you mean 'width'.*dropout"):
        resolve("backbone", "tiny3d", **SHAPE, widht=4)


def test_a_missing_option_is_named_with_all_options(tiny_plugin):
    with pytest.raises(OptionError, match=r"needs 'in_channels'.*num_classes, in_channels, width"):
        resolve("backbone", "tiny3d", num_classes=3)


def test_a_factory_with_free_options_takes_any_but_not_none_of_the_required(empty_registry):
    class Free:
        @hookimpl
        def register_explainers(self, register):
            register("free", lambda layer, **options: options)

    empty_registry.add(Free(), "free:free")
    assert resolve("explainer", "free", layer=1, anything=2) == {"anything": 2}
    with pytest.raises(OptionError, match="'layer'"):
        resolve("explainer", "free", anything=2)


def test_a_misspelt_hook_is_refused_and_leaves_nothing_behind(empty_registry):
    class Misspelt(Plugin):
        @hookimpl
        def register_backbone(self, register): ...

    with pytest.raises(PluginError, match="did you mean 'register_backbones'"):
        empty_registry.add(Misspelt("net", "x"), "echokit-a:a")
    assert empty_registry.components == []
    empty_registry.add(Plugin("net", "y"), "echokit-b:b")
    assert resolve("backbone", "net", **SHAPE) == "y 3 1 8"


def test_a_hook_that_raises_is_a_warning_and_registers_nothing(monkeypatch):
    class Raising:
        @hookimpl
        def register_transforms(self, register):
            register("half", tuple)
            raise ValueError("half way")

    class EntryPoint:
        name, dist = "half", None

        def load(self):
            return Raising()

    registry = Registry()
    with pytest.warns(PluginWarning, match="unknown:half is not used: .*ValueError: half way"):
        registry.load(EntryPoint())
    assert registry.components == []


def test_the_registry_lists_every_kind(tiny_plugin):
    names = {kind: [c.name for c in tiny_plugin.of_kind(kind)] for kind in KINDS}
    assert names == {
        "loader": ["tiny"],
        "transform": ["tiny-flip"],
        "backbone": ["tiny3d"],
        "aggregator": ["tiny-vote"],
        "explainer": ["tiny-map"],
        "recipe": ["tiny-study"],
        "writer": [],
        "executor": ["local"],
        "command": [],
    }


def test_a_recipe_resolves_to_its_path(tiny_plugin, recipe_file):
    assert resolve("recipe", "tiny-study") == recipe_file


def test_options_are_checked_without_making_the_component(empty_registry):
    class Explosive:
        @hookimpl
        def register_loaders(self, register):
            def explode(source: str) -> None:
                raise AssertionError

            register("explosive", explode)

    empty_registry.add(Explosive(), "x:x")
    check_options(empty_registry.find("loader", "explosive"), {"source": ""})


def test_a_plugin_that_ends_the_process_at_import_ends_only_itself(tmp_path):
    install(tmp_path, "echokit-quit", "quit", "echokit_quit", "raise SystemExit(3)")
    body = "print(json.dumps([p for p in registry().problems if 'cardiac' not in p]))"
    (problem,), _ = ask(tmp_path, body)
    assert "echokit-quit:quit is not used: importing it raised SystemExit: 3" in problem


class NewerPlugin(Plugin):
    echokit_interface = INTERFACE + 1


class OlderPlugin(Plugin):
    echokit_interface = INTERFACE - 1


class OddPlugin(Plugin):
    echokit_interface = "1"


class Unmarked(Plugin):
    def register_loaders(self, register): ...


class Twice(Plugin):
    @hookimpl
    def register_aggregators(self, register):
        register("vote", tuple)
        register("vote", list)


class WrongArgument(Plugin):
    @hookimpl
    def register_aggregators(self, add): ...


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (NewerPlugin, r"needs interface 2, and this echokit has 1: pip install --upgrade"),
        (OlderPlugin, r"written for interface 0.*install a newer version of the plugin"),
        (OddPlugin, r"is '1': a whole number"),
        (Unmarked, r"register_loaders is not marked as a hook: write @hookimpl above it"),
        (Twice, r"registers the aggregator 'vote' twice"),
        (WrongArgument, r"takes add: write `def register_aggregators\(register\):`"),
    ],
)
def test_a_plugin_that_breaks_a_rule_is_refused_whole(empty_registry, kind, says):
    with pytest.raises(PluginError, match=says):
        empty_registry.add(kind("net", "x"), "echokit-a:a")
    assert empty_registry.components == []
    empty_registry.add(Plugin("net", "y"), "echokit-a:a")
    assert resolve("backbone", "net", **SHAPE) == "y 3 1 8"


def test_a_plugin_of_this_interface_is_welcome(empty_registry):
    plugin = Plugin("net", "x")
    plugin.echokit_interface = INTERFACE
    empty_registry.add(plugin, "echokit-a:a")
    assert resolve("backbone", "net", **SHAPE) == "x 3 1 8"


def test_taken_names_are_told_with_what_to_type(two):
    (clash,) = two.clashes
    assert "'echokit-a:a/net' or 'echokit-b:b/net'" in clash


def test_an_unknown_option_names_the_distribution(two):
    with pytest.raises(OptionError, match="backbone 'net' of echokit-b has no option 'depth'"):
        resolve("backbone", "echokit-b/net", **SHAPE, depth=4)


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        (ModuleNotFoundError("No module named 'timm'", name="timm"), "needs the module 'timm'"),
        (RuntimeError("no GPU"), "could not be made: RuntimeError: no GPU"),
        (ValueError("too wide"), "cannot be made with width=3: too wide"),
    ],
)
def test_a_factory_that_fails_is_told_with_its_distribution(empty_registry, raised, says):
    class Failing:
        @hookimpl
        def register_explainers(self, register):
            def fail(width: int = 1) -> None:
                raise raised

            register("fail", fail)

    empty_registry.add(Failing(), "echokit-a:a")
    with pytest.raises(PluginError, match=f"explainer 'fail' of echokit-a {says}"):
        resolve("explainer", "fail", width=3)


class Renaming:
    """A backbone whose option `width` was called `channels` once."""

    @hookimpl
    def register_backbones(self, register):
        @deprecated_option("channels", instead="width", since="1.3")
        @deprecated_option("filters", instead="width", since="1.1")
        def net(num_classes: int, in_channels: int, *, width: int = 8) -> int:
            return width

        register("net", net)


def test_a_renamed_option_works_and_warns_once(empty_registry):
    empty_registry.add(Renaming(), "echokit-once:once")
    says = r"'channels' of the backbone 'net' of echokit-once is called 'width' since version 1.3"
    with pytest.warns(DeprecatedOptionWarning, match=says) as caught:
        assert [resolve("backbone", "net", **SHAPE, channels=3) for _ in range(2)] == [3, 3]
    assert len(caught) == 1
    assert "write width=3" in str(caught[0].message)
    assert resolve("backbone", "net", **SHAPE, width=4) == 4


def test_both_names_of_an_option_are_refused(empty_registry):
    empty_registry.add(Renaming(), "echokit-both:both")
    with pytest.raises(OptionError, match="leave 'filters' out"):
        resolve("backbone", "net", **SHAPE, width=3, filters=3)


@pytest.mark.parametrize(
    ("hook", "thing", "says"),
    [
        ("register_backbones", 3, "register a function that makes one"),
        ("register_explainers", json, "is the module json: .* rename the file or the function"),
        ("register_recipes", "recipe.toml", "register the pathlib.Path of a TOML file"),
    ],
)
def test_what_cannot_be_a_component_is_refused_by_name(hook, thing, says):
    plugin = type("Plugin", (), {})()
    setattr(plugin, hook, hookimpl(lambda register: register("odd", thing)))
    with pytest.raises(PluginError, match=says):
        Registry().add(plugin, "echokit-odd:odd")
