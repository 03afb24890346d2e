"""echokit: a plugin-based toolkit for echocardiogram analysis.

Research software, not a medical device.
"""

from echokit.errors import (
    ClipError,
    CohortError,
    DataError,
    EchokitError,
    OptionError,
    PluginError,
    RecipeError,
    TrainingError,
    UsageError,
)
from echokit.hookspecs import INTERFACE, hookimpl
from echokit.interfaces import (
    Aggregator,
    Backbone,
    Explainer,
    Loader,
    SupportsCam,
    SupportsFingerprint,
    SupportsFit,
    SupportsWrite,
    Transform,
)
from echokit.plugins.options import check_whole
from echokit.plugins.registry import resolve
from echokit.plugins.renamed import deprecated_option
from echokit.plugins.weights import fit_weights, read_weights
from echokit.system.files import whole_file, whole_folder
from echokit.types import (
    VIEWS,
    Box,
    Clip,
    ClipRef,
    Cohort,
    Prediction,
    Rejection,
    Saliency,
    Votes,
)

__version__ = "0.1.0"

__all__ = [
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
