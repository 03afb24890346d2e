"""The public API: what plugins may import."""

import echokit

EXPECTED = [
    "INTERFACE",
    "VIEWS",
    "Aggregator",
    "Backbone",
    "Box",
    "Clip",
    "ClipError",
    "ClipRef",
    "Cohort",
    "CohortError",
    "DataError",
    "EchokitError",
    "Explainer",
    "Loader",
    "OptionError",
    "PluginError",
    "Prediction",
    "RecipeError",
    "Rejection",
    "Saliency",
    "SupportsCam",
    "SupportsFingerprint",
    "SupportsFit",
    "SupportsWrite",
    "TrainingError",
    "Transform",
    "UsageError",
    "Votes",
    "__version__",
    "check_whole",
    "deprecated_option",
    "fit_weights",
    "hookimpl",
    "read_weights",
    "resolve",
    "whole_file",
    "whole_folder",
]


def test_the_public_names_are_exactly_these():
    assert echokit.__all__ == EXPECTED


def test_the_public_names_are_sorted_and_each_once():
    def constants_then_classes(name: str) -> tuple[bool, bool, str]:
        return not name.isupper(), not name[0].isupper(), name

    assert echokit.__all__ == sorted(set(echokit.__all__), key=constants_then_classes)


def test_every_public_name_is_there():
    assert [name for name in echokit.__all__ if not hasattr(echokit, name)] == []


def test_every_error_is_an_echokit_error():
    errors = [getattr(echokit, name) for name in echokit.__all__ if name.endswith("Error")]
    assert len(errors) == 9
    assert all(issubclass(error, echokit.EchokitError) for error in errors)


def test_every_public_class_and_function_is_documented():
    names = [n for n in echokit.__all__ if callable(getattr(echokit, n)) and n != "hookimpl"]
    assert [name for name in names if not getattr(echokit, name).__doc__] == []
