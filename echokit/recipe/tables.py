"""The tables of a recipe: frozen and validated, without unknown keys.

A *slot* is a table whose `use` names a component and whose other keys are its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from echokit.errors import nearest

DROP = "drop"
"""Value in a task's `map` that leaves clips of a grade out; they are counted."""
NUMBERS = (int, float, int | None)
"""Types of keys that `true`, which Python takes for 1, is no value of."""
TOGETHER = "all"
"""Name in place of a view for one network that is trained on the clips of all views."""
VIEW_COLUMN = "view"
"""Annotation column of a task that predicts the view; every clip with a known view has it."""


class Strict(BaseModel):
    """A frozen table that refuses unknown keys and suggests the nearest valid ones."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            for key, given in value.items():
                if key not in cls.model_fields:
                    raise ValueError(f"there is no key {key!r}: {nearest(key, cls.model_fields)}")
                if isinstance(given, bool) and cls.model_fields[key].annotation in NUMBERS:
                    raise ValueError(f"{key} is {str(given).lower()}: give a number")
        return value


class Slot(BaseModel):
    """A slot for a component: `use` is its name, every other key one of its options."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str

    @property
    def options(self) -> dict[str, Any]:
        """Options of the component."""
        return dict(self.model_extra or {})


class Views(Strict):
    """The views in use, and other names for them."""

    use: tuple[str, ...] = Field(min_length=1)
    alias: dict[str, str] = {}
    """A site's own view name -> canonical name."""
    together: bool = False
    """Train one network on the clips of all views; by default each view has its own network."""
    classifier: str = ""
    """Folder of a finished run that predicts views, used for clips whose view is unknown."""
    threshold: float = Field(0.8, ge=0, le=1)
    """Smallest mean probability of the predicted view; a clip below it is rejected."""

    @field_validator("classifier")
    @classmethod
    def _path_is_absolute(cls, path: str) -> str:
        return str(Path(path).expanduser().absolute()) if path else ""

    @property
    def networks(self) -> tuple[str, ...]:
        """Views that have a network, or `TOGETHER` for one network of all views."""
        return (TOGETHER,) if self.together else self.use


class Task(Strict):
    """A classification task: which of these labels does a clip have?"""

    enabled: bool = True
    column: str
    """Annotation column from which the label is made."""
    labels: tuple[str, ...] = Field(min_length=2)
    """Label names, least severe first."""
    map: dict[str, str]
    """Annotation -> label name, or `drop`."""

    @model_validator(mode="after")
    def _map_has_known_labels(self) -> Task:
        for grade, label in self.map.items():
            if label != DROP and label not in self.labels:
                raise ValueError(
                    f"map sends {grade!r} to {label!r}, which is not a label: "
                    f"{nearest(label, (*self.labels, DROP))}"
                )
        return self


class Split(Strict):
    """How patients are split into training and held-out patients."""

    method: Literal["repeated", "k-fold", "file"] = "repeated"
    """`file` takes the folds from a column of the manifest, and none of the keys below but one."""
    splits: int = Field(10, ge=1, le=1000)
    held_out: float = Field(0.2, gt=0, lt=1)
    """Share of the patients held out; k-fold holds out 1/splits instead."""
    column: str = "split"
    """For `file`: column of `train` and `test`, or of the fold in which a patient is held out."""


class Sequences(Strict):
    """The sequences that are cut out of a clip (paper, section 2.3)."""

    n: int = Field(10, ge=1, le=10_000)
    """Number of sequences that vote for a clip."""
    k: int = Field(12, ge=1, le=10_000)
    """Number of consecutive frames in a sequence."""


class Train(Strict):
    """How a network is trained. The defaults are the paper's choices (section 3.1)."""

    epochs: int = Field(150, ge=1, le=100_000)
    n: int = Field(10, ge=1, le=10_000)
    """Sequences drawn for each training clip in an epoch, on average."""
    batch: int = Field(8, ge=1, le=65_536)
    lr: float = Field(1e-3, gt=0, le=1000)
    """Learning rate of Adam; its peak with other schedules than `constant`."""
    weight_decay: float = Field(1e-3, ge=0, le=1000)
    schedule: Literal["constant", "one-cycle", "cosine"] = "constant"
    augment: float = Field(0.9, ge=0, le=1)
    """Share of the training sequences that at least one of the `augment` transforms changes."""
    balanced: bool = True
    """Draw sequences weighted by the inverse frequency of their class."""
    optimizer: Literal["adam", "adamw"] = "adam"
    """`adamw` decouples the weight decay from the gradient; biases and norms do not decay."""
    loss: Literal["cross-entropy", "ordinal"] = "cross-entropy"
    """`ordinal` uses the order of the labels: a label two steps off costs more than its
    neighbour."""
    warm_up: float = Field(0.0, ge=0, lt=1)
    """Share of the steps in which the learning rate rises to `lr`."""
    clip: float = Field(0.0, ge=0)
    """Largest norm of the gradient; 0 for no limit."""
    average: float = Field(0.0, ge=0, lt=1)
    """Decay, for each step, of the moving average of the weights that is kept; 0 keeps the last
    weights. Statistics of batch norm are then always re-estimated."""
    batch_norm: Literal["running", "re-estimated"] = "running"
    """`re-estimated`: statistics of batch norm are estimated anew after training, on training
    sequences that are not augmented and are mixed as the patients are."""
    scales: tuple[Annotated[float, Field(gt=0, le=1)], ...] = ()
    """Scales of the frames in equal shares of the epochs, as in `[0.5, 1]`: half-size frames first;
    empty for full size throughout."""
    retries: int = Field(0, ge=0, le=2)
    """How often a network that did not learn, judged by its own training patients, is trained again
    from another seed."""

    def determining(self) -> dict[str, object]:
        """Return what determines the weights: every key, but added ones only where they are set.

        Networks that were trained before a key existed keep their digest.
        """
        first = {
            "epochs", "n", "batch", "lr", "weight_decay", "schedule", "augment", "balanced",
        }  # fmt: skip
        added = self.model_dump(exclude=first, exclude_defaults=True)
        return self.model_dump(include=first) | added


class Abstain(Strict):
    """When a subject is not judged; the defaults judge every subject, as the paper does."""

    views: int = Field(1, ge=1)
    """Fewest views that must have voted."""
    agreement: float = Field(0.0, ge=0, le=1)
    """Smallest share of the votes, one of each clip, for the predicted label."""
    confidence: float = Field(0.0, ge=0, le=1)
    """Smallest confidence of the prediction."""


class Aggregate(Strict):
    """The voting rules."""

    view: Slot
    """From sequences to the prediction of a clip."""
    subject: Slot
    """From views to the prediction of a subject."""
    abstain: Abstain | None = None
    """When no prediction of a subject is made; None: a prediction is made of every subject."""


class Evaluate(Strict):
    """How the uncertainty of the figures is estimated."""

    bootstrap: int = Field(1000, ge=0, le=100_000)
    """Number of resamples of the held-out subjects for 95 % intervals; 0 for no intervals."""


class Crossfit(Strict):
    """Cross-fitting: unbiased predictions of training patients, to fit what follows training.

    Temperatures, label sets and learned voting rules must be fitted to predictions of patients from
    whom the network did *not* learn. The training patients are therefore divided into folds, and
    each fold is predicted by a network trained on the other folds. Held-out patients are not used.
    """

    folds: int = Field(0, ge=0, le=100)
    """Number of folds of the training patients, 2 or more; 0 disables everything fitted."""

    @model_validator(mode="after")
    def _not_one_fold(self) -> Crossfit:
        if self.folds == 1:
            raise ValueError(
                "folds is 1, which leaves no other fold to learn from: set 0, or 2 or more"
            )
        return self


class FeatureFusion(Strict):
    """One network for all views at once, to compare with networks that vote."""

    enabled: bool = False
    epochs: int | None = Field(None, ge=1, le=100_000)
    """Passes over the training patients; None for as many as in `[train]`."""
    embedding: int = Field(32, ge=1, le=65_536)
    """Number of features of each view."""
    drop: float = Field(0.3, ge=0, lt=1)
    """Probability that a view is left out during training."""


class Report(Strict):
    """The content of the report."""

    examples: int = Field(1, ge=0, le=10_000)
    """Number of clips to explain for each view and label."""
    passes: int = Field(100_000, ge=1, le=10**12)
    """Most passes through networks that explaining takes: fewer clips are explained, one of each
    network at least, by an explainer that needs more. Small frames take minutes, large ones hours
    of a processor."""


class Compute(Strict):
    """Where and how networks are trained and run."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"
    """Number of processes that load sequences; 0 loads them in the training process. `auto` is 0 on
    a CPU, where they would take cores from the network, and up to eight beside a GPU."""
    compile: bool = False
    """Whether networks are compiled by `torch.compile`, which takes half a minute; for a GPU."""
    deterministic: bool = False
    """Whether a GPU trains with repeatable algorithms only: slower, and the same seed then gives
    the same weights on the same card. A CPU repeats its results anyway."""
    jobs: int = Field(1, ge=1, le=1024)
    """Number of networks trained at the same time, each in its own process."""


class Approach(Strict):
    """A way to classify clips, by its changes of the recipe."""

    enabled: bool = True
    backbone: Slot | None = None
    k: int | None = Field(None, ge=1, le=10_000)
