"""echokit: a plugin-based toolkit for echocardiogram analysis.

Research software, not a medical device.

    model = echokit.load("runs/ph-newborn")    # a finished run or a bundle
    result = model.predict("my-study/")        # a file, a folder, a Clip, an array
    run = echokit.run("ph-newborn")            # from a cohort to a report

Everything that a user or an author of plugins may rely on is named in `__all__`; whatever needs
more than the standard library and pluggy is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from echokit.errors import (
    ClipError,
    CohortError,
    DamagedError,
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
    Executor,
    Explainer,
    Loader,
    SupportsBlocks,
    SupportsCam,
    SupportsCheck,
    SupportsFile,
    SupportsFingerprint,
    SupportsFit,
    SupportsPasses,
    SupportsRemarks,
    SupportsSelection,
    SupportsStream,
    SupportsWrite,
    Transform,
    Writer,
)
from echokit.plugins.options import check_whole
from echokit.plugins.registry import resolve
from echokit.plugins.renamed import deprecated_option
from echokit.plugins.weights import fit_weights, read_weights
from echokit.system.files import whole_file, whole_folder
from echokit.system.leftovers import scratch_folder
from echokit.system.paths import is_below
from echokit.system.progress import Progress
from echokit.types import (
    VIEWS,
    Box,
    Clip,
    ClipRef,
    ClipStream,
    Cohort,
    Prediction,
    Rejection,
    Saliency,
    Votes,
)

if TYPE_CHECKING:
    from echokit.clips.check import CheckReport
    from echokit.export.write import export_run
    from echokit.runs.context import Run
    from echokit.runs.start import open_run, run
    from echokit.studies.evaluate import evaluate
    from echokit.studies.evaluation import Evaluation
    from echokit.studies.load import load
    from echokit.studies.model import Model
    from echokit.studies.outcomes import ClipResult, SubjectResult
    from echokit.studies.queue.queue import StudyQueue
    from echokit.studies.queue.values import QueuedStudy
    from echokit.studies.result import StudyResult
    from echokit.studies.shown import ShownClip
    from echokit.studies.sources import check, read
    from echokit.system.pseudonyms import key_file, keyed_digest, pseudonym
    from echokit.system.signatures import make_signing_key

__version__ = "0.1.0"

_PLACES = {
    "CheckReport": "echokit.clips.check",
    "ClipResult": "echokit.studies.outcomes",
    "Evaluation": "echokit.studies.evaluation",
    "Model": "echokit.studies.model",
    "QueuedStudy": "echokit.studies.queue.values",
    "Run": "echokit.runs.context",
    "ShownClip": "echokit.studies.shown",
    "StudyQueue": "echokit.studies.queue.queue",
    "StudyResult": "echokit.studies.result",
    "SubjectResult": "echokit.studies.outcomes",
    "check": "echokit.studies.sources",
    "evaluate": "echokit.studies.evaluate",
    "export_run": "echokit.export.write",
    "key_file": "echokit.system.pseudonyms",
    "keyed_digest": "echokit.system.pseudonyms",
    "load": "echokit.studies.load",
    "make_signing_key": "echokit.system.signatures",
    "open_run": "echokit.runs.start",
    "pseudonym": "echokit.system.pseudonyms",
    "read": "echokit.studies.sources",
    "run": "echokit.runs.start",
}
"""Public name -> the module that it is imported from when it is first asked for."""

__all__ = [
    "INTERFACE",
    "VIEWS",
    "Aggregator",
    "Backbone",
    "Box",
    "CheckReport",
    "Clip",
    "ClipError",
    "ClipRef",
    "ClipResult",
    "ClipStream",
    "Cohort",
    "CohortError",
    "DamagedError",
    "DataError",
    "EchokitError",
    "Evaluation",
    "Executor",
    "Explainer",
    "Loader",
    "Model",
    "OptionError",
    "PluginError",
    "Prediction",
    "Progress",
    "QueuedStudy",
    "RecipeError",
    "Rejection",
    "Run",
    "Saliency",
    "ShownClip",
    "StudyQueue",
    "StudyResult",
    "SubjectResult",
    "SupportsBlocks",
    "SupportsCam",
    "SupportsCheck",
    "SupportsFile",
    "SupportsFingerprint",
    "SupportsFit",
    "SupportsPasses",
    "SupportsRemarks",
    "SupportsSelection",
    "SupportsStream",
    "SupportsWrite",
    "TrainingError",
    "Transform",
    "UsageError",
    "Votes",
    "Writer",
    "__version__",
    "check",
    "check_whole",
    "deprecated_option",
    "evaluate",
    "export_run",
    "fit_weights",
    "hookimpl",
    "is_below",
    "key_file",
    "keyed_digest",
    "load",
    "make_signing_key",
    "open_run",
    "pseudonym",
    "read",
    "read_weights",
    "resolve",
    "run",
    "scratch_folder",
    "whole_file",
    "whole_folder",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_PLACES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
