"""Recipes: what overrides what, what is refused, and what the shipped one says."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import pytest

from echokit import RecipeError
from echokit.recipe import Recipe, load_recipe
from echokit.recipe.settings import parse_setting

pytestmark = pytest.mark.usefixtures("tiny_plugin")


def load(*settings: str, **more) -> Recipe:
    return load_recipe("tiny-study", settings=settings, **more)


def test_each_layer_wins_over_those_below_it(tmp_path):
    config = tmp_path / "mine.toml"
    config.write_text("[train]\nepochs = 40\nbatch = 4\n")
    assert load(preset="").train.epochs == 3
    assert load().train.epochs == 1
    assert load(config=config).train.epochs == 40
    assert load("train.epochs=7", config=config).train.epochs == 7
    assert load("train.epochs=7", config=config).train.batch == 4
    assert load("train.epochs=7", "train.epochs=8").train.epochs == 8


def test_the_default_preset_is_taken_and_noted():
    assert (load().preset, load(preset="slow").preset, load(preset="").preset) == (
        "fast",
        "slow",
        "",
    )


def test_swapping_a_component_drops_its_options():
    assert load("backbone=other").backbone.model_dump() == {"use": "other"}
    assert load("backbone.use=other").backbone.model_dump() == {"use": "other"}
    swapped = load("backbone=other", "backbone.depth=3").backbone
    assert swapped.model_dump() == {"use": "other", "depth": 3}


def test_a_preset_and_a_config_swap_a_component_too(tmp_path, recipe_file):
    config = tmp_path / "swap.toml"
    config.write_text('[backbone]\nuse = "other"\ndepth = 3\n')
    assert load(config=config).backbone.model_dump() == {"use": "other", "depth": 3}
    with recipe_file.open("a") as file:
        file.write('[presets.swap]\nbackbone = { use = "other" }\n')
    assert load(preset="swap").backbone.model_dump() == {"use": "other"}


def test_naming_the_component_that_is_there_keeps_its_options():
    assert load("backbone=tiny3d").backbone.options == {"width": 4}


def test_one_option_can_be_set_alone():
    assert load("backbone.dropout=0.2").backbone.options == {"width": 4, "dropout": 0.2}
    assert load("prepare.flip.axis=2").prepare["flip"].options == {"axis": 2}


def test_false_drops_a_named_slot_and_a_new_one_can_be_added():
    assert load("prepare.flip=false").prepare == {}
    assert load("explain=false").explain is None
    added = load('prepare.again={ use = "tiny-flip", axis = 2 }').prepare
    assert list(added) == ["flip", "again"]


def test_a_slot_that_is_needed_cannot_be_dropped():
    with pytest.raises(RecipeError, match="backbone: Field required"):
        load("backbone=false")


@pytest.mark.parametrize(
    "setting",
    [
        "compute.jobs=2",
        "report.examples=0",
        "evaluate.bootstrap=9",
        "approaches.spatio-temporal.k=5",
        'view_sets.MV-2=["A4C", "PLAX"]',
    ],
)
def test_tables_that_the_recipe_leaves_to_their_defaults_can_be_set(setting):
    path, value = parse_setting(setting)
    dumped = load(setting, preset="").model_dump(mode="json")
    assert reduce(lambda table, key: table[key], path, dumped) == value


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("sede=1", r"there is no key 'sede': did you mean 'seed'"),
        ("trian.epochs=1", r"there is no key 'trian': did you mean 'train'"),
        ("train.epoch=1", r"train: there is no key 'epoch': did you mean 'epochs'"),
        ("tasks.severity.colum='x'", r"tasks.severity: .*'colum': did you mean 'column'"),
        ("approaches.spatial.kk=1", r"approaches.spatial: .*'kk': did you mean 'k'"),
        ("train.epochs=0", r"train.epochs: .*greater than or equal to 1 \(given: 0\)"),
        ("seed=-1", r"seed: .*greater than or equal to 0 \(given: -1\)"),
        ("seed=4294967296", r"seed: .*less than 4294967296"),
        ("train.epochs=many", r"train.epochs: .*integer.*\(given: 'many'\)"),
        ("train.schedule=staircase", r"train.schedule: .*'one-cycle'"),
        ("seed.x=1", r"seed is a value, not a table; set it as a whole: --set seed="),
        ("train", r"'train' is not key=value"),
        ("=1", r"'=1' is not key=value"),
        ("a b=1", r"'a b=1' is not key=value"),
        ("tasks.severity.map.\"3\"='sever'", r"'3' to 'sever'.*did you mean 'severe'"),
        ("tasks.severity.labels=['none']", r"tasks.severity.labels: "),
        ("views.use=[]", r"views.use: "),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_is_valid(setting, message):
    with pytest.raises(RecipeError, match=message):
        load(setting)


def test_unknown_recipes_presets_and_files_say_what_there_is(tmp_path):
    with pytest.raises(RecipeError, match=r"'tiny-studi': did you mean 'tiny-study'"):
        load_recipe("tiny-studi")
    with pytest.raises(RecipeError, match=r"no preset 'fats': did you mean 'fast'"):
        load(preset="fats")
    with pytest.raises(RecipeError, match=r"There is no recipe file .*nowhere\.toml"):
        load_recipe(str(tmp_path / "nowhere.toml"))
    with pytest.raises(RecipeError, match=r"gone\.toml cannot be read: No such file"):
        load(config=tmp_path / "gone.toml")
    (tmp_path / "broken.toml").write_text("a = = 1")
    with pytest.raises(RecipeError, match=r"broken\.toml is not valid TOML"):
        load_recipe(str(tmp_path / "broken.toml"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = " + "9" * 5000, "is not valid TOML"),
        ("# " + "x" * 1_000_000, "it is no recipe"),
        ("x = 1\0", "is not valid TOML"),
    ],
    ids=["nested", "digits", "large", "nul"],
)
def test_a_hostile_file_is_refused_by_name(text, reason, tmp_path):
    (tmp_path / "a.toml").write_text(text, "utf-8")
    with pytest.raises(RecipeError, match=reason):
        load_recipe(str(tmp_path / "a.toml"))
    with pytest.raises(RecipeError, match=reason):
        load_recipe("tiny-study", config=tmp_path / "a.toml")


def test_a_device_is_no_config():
    with pytest.raises(RecipeError, match="not a regular file"):
        load_recipe("tiny-study", config=Path("/dev/zero"))


@pytest.mark.parametrize("value", ["[" * 5000, "9" * 5000])
def test_a_value_that_is_none_is_refused(value):
    with pytest.raises(RecipeError, match="has a value that is none"):
        parse_setting(f"train.epochs={value}")


def test_a_quoted_key_reaches_the_label_table():
    task = load('tasks.severity.map."0.5"="none"').tasks["severity"]
    assert task.map == {"0": "none", "0.5": "none", "1": "drop", "2": "severe"}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("backbone.widht=3", r"\[approaches.spatio-temporal.backbone\] .*did you mean 'width'"),
        ("prepare.flip.axes=3", r"\[prepare.flip\] .*'axes': did you mean 'axis'"),
        ("aggregate.subject=tiny-vot", r"\[aggregate.subject\] .*did you mean 'tiny-vote'"),
        ("data=tinny", r"\[data\] No loader is called 'tinny': did you mean 'tiny'"),
        ("explain=tiny3d", r"\[explain\] No explainer is called 'tiny3d'"),
        ("augment.x={use='tiny-flop'}", r"\[augment.x\] No transform .*'tiny-flip'"),
        ("normalise={use='gone'}", r"\[normalise\] No transform is called 'gone'"),
        ("approaches.spatial={backbone={use='gone'}}", r"\[approaches.spatial.backbone\]"),
    ],
)
def test_a_component_that_does_not_fit_is_named_with_its_slot(setting, message):
    load().check_components()
    with pytest.raises(RecipeError, match=message):
        load(setting).check_components()


def test_an_approach_changes_its_backbone_and_its_frames_and_can_be_disabled():
    recipe = load("approaches.spatial={k=1, backbone={use='tiny3d', width=2}}")
    spatial, usual = recipe.of_approach("spatial"), recipe.sequences.k
    assert (spatial.sequences.k, spatial.backbone.options) == (1, {"width": 2})
    assert recipe.sequences.k == usual
    off = load("approaches.a={}", "approaches.b={enabled=false}")
    assert off.enabled_approaches == ("a",)


def test_view_sets_count_only_when_all_their_views_are_used():
    assert load().used_view_sets == {"MV-2": ("A4C", "PLAX")}
    sets = "view_sets={x=['A4C'], y=['A4C', 'PSAX-P']}"
    assert load(sets).used_view_sets == {"x": ("A4C",)}


@pytest.mark.parametrize(
    "settings", [["study=tiny-other"], ["data=tiny-other"], ["study.use=tiny-other"]]
)
@pytest.mark.usefixtures("tiny_plugin")
def test_another_reader_of_a_users_own_data_keeps_the_source(settings, tmp_path):
    recipe = load_recipe("tiny-study", data=tmp_path, settings=settings)
    assert (recipe.data.use, recipe.data.options["source"]) == ("tiny-other", str(tmp_path))


BOUNDS = {
    "train.n=1000000000": "train.n: Input should be less than or equal to 10000",
    "train.epochs=true": "epochs is true: give a number",
    "train.lr=inf": "train.lr: Input should be a finite number",
    "train.lr=true": "lr is true",
    "evaluate.bootstrap=100000000": "evaluate.bootstrap: Input should be less than",
    "split.splits=1000000": "split.splits: Input should be less than",
    "sequences.n=1000000000": "sequences.n: Input should be less than",
    "views.use=A4C": r"views.use: Input should be a list, as in --set \"views.use=\['A4C'\]\"",
}


@pytest.mark.parametrize("setting", BOUNDS)
def test_every_setting_has_bounds(setting, tiny_plugin):
    with pytest.raises(RecipeError, match=BOUNDS[setting]):
        load_recipe("tiny-study", settings=[setting])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "backbone.in_channels=3",
            r"\[approaches.*backbone\] in_channels is set by echokit itself",
        ),
        ("backbone.num_classes=3", "num_classes is set by echokit itself"),
        ("backbone.width=abc", "width='abc': give a whole number"),
        ("backbone.dropout=true", "dropout=True: give a number"),
    ],
)
def test_what_a_component_cannot_be_given_is_said_before_it_is_made(setting, words, tiny_plugin):
    with pytest.raises(RecipeError, match=words):
        load_recipe("tiny-study", settings=[setting]).check_components()


def test_config_files_add_up_and_a_table_can_be_replaced_whole(tmp_path):
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text("[train]\nepochs = 7\nn = 5\n")
    second.write_text(
        "[train]\nn = 6\n[tasks.severity]\nreplace = true\ncolumn = 'PH'\n"
        "labels = ['no', 'yes']\nmap = { 0 = 'no', 1 = 'yes' }\n"
    )
    recipe = load(config=[first, second])
    assert (recipe.train.epochs, recipe.train.n) == (7, 6)
    assert recipe.tasks["severity"].map == {"0": "no", "1": "yes"}


NAMES = {
    "name": "name = '{}'",
    "tasks": "tasks.'{}' = {{ column = 'grade', labels = ['none', 'severe'], map = {{}} }}",
    "approaches": "approaches.'{}' = {{ k = 3 }}",
    "views.use": "views.use = ['{}']",
    "view_sets": "view_sets.'{}' = ['A4C', 'PLAX']",
}


@pytest.mark.parametrize("key", NAMES)
@pytest.mark.parametrize("name", ["../../outside", "/outside", "..", "a/b", "[/bold]", "a\tb"])
def test_a_name_that_becomes_a_file_cannot_leave_the_run_s_folder(tiny_plugin, tmp_path, key, name):
    config = tmp_path / "config.toml"
    config.write_text(NAMES[key].format(name))
    with pytest.raises(RecipeError, match=rf"{key}: the name .* becomes a file: .* as in '\w"):
        load_recipe("tiny-study", config=config)
