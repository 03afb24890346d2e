"""The tables of a recipe: frozen, validated, refusing unknown keys.

A *slot* is a table whose `use` names a component and whose other keys are its options.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from echokit.errors import nearest

DROP = "drop"
"""In a task's `map`: leave clips of this grade out, counted."""
TOGETHER = "all"
"""Stands in a view's place for the one network that judges the clips of all views."""
VIEW_COLUMN = "view"
"""The annotation column of a task that asks for the view: every clip bears it, a label like any
other."""


class Strict(BaseModel):
    """A frozen table that refuses unknown keys and names the nearest valid ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            for key in value:
                if key not in cls.model_fields:
                    raise ValueError(f"there is no key {key!r}: {nearest(key, cls.model_fields)}")
        return value


class Slot(BaseModel):
    """A place for a component: `use` names it, every other key is an option of it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    use: str

    @property
    def options(self) -> dict[str, Any]:
        """The component's options."""
        return dict(self.model_extra or {})


class Views(Strict):
    """Which views are used, and what other names they go by."""

    use: tuple[str, ...] = Field(min_length=1)
    alias: dict[str, str] = {}
    """A site's own view name -> the canonical one."""
    together: bool = False
    """One network for the clips of all views; by default each view has its own."""
    classifier: str = ""
    """Folder of a finished run that tells views: it is asked of clips whose view is unknown."""
    threshold: float = Field(0.8, ge=0, le=1)
    """Mean probability of the view it names; a clip below it is rejected by name."""

    @field_validator("classifier")
    @classmethod
    def _found_from_anywhere(cls, path: str) -> str:
        return str(Path(path).expanduser().absolute()) if path else ""

    @property
    def networks(self) -> tuple[str, ...]:
        """What each network is of: a view, or all of them."""
        return (TOGETHER,) if self.together else self.use


class Task(Strict):
    """One question asked of a clip: which of these labels does it bear?"""

    enabled: bool = True
    column: str
    """The annotation column that the label is made from."""
    labels: tuple[str, ...] = Field(min_length=2)
    """Label names, least severe first."""
    map: dict[str, str]
    """Annotation as written -> label name, or `drop`."""

    @model_validator(mode="after")
    def _map_leads_to_labels(self) -> Task:
        for grade, label in self.map.items():
            if label != DROP and label not in self.labels:
                raise ValueError(
                    f"map sends {grade!r} to {label!r}, which is not a label: "
                    f"{nearest(label, (*self.labels, DROP))}"
                )
        return self


class Split(Strict):
    """How patients are held out."""

    method: Literal["repeated", "k-fold"] = "repeated"
    splits: int = Field(10, ge=1)
    held_out: float = Field(0.2, gt=0, lt=1)
    """Share of the patients held out; k-fold holds out 1/splits instead."""


class Sequences(Strict):
    """The short windows that are cut out of a clip (paper, section 2.3)."""

    n: int = Field(10, ge=1)
    """Sequences that vote for a clip."""
    k: int = Field(12, ge=1)
    """Consecutive frames in a sequence."""


class Train(Strict):
    """How one network is trained (paper, section 3.1)."""

    epochs: int = Field(150, ge=1)
    n: int = Field(10, ge=1)
    """Sequences drawn for each training clip in an epoch, on average."""
    batch: int = Field(8, ge=1)
    lr: float = Field(1e-3, gt=0)
    """Adam's learning rate; the peak of it under `one-cycle`."""
    weight_decay: float = Field(1e-3, ge=0)
    schedule: Literal["constant", "one-cycle"] = "constant"
    augment: float = Field(0.9, ge=0, le=1)
    """Share of training sequences that go through the `augment` transforms."""
    balanced: bool = True
    """Draw sequences with the inverse frequency of their class as weight."""


class Aggregate(Strict):
    """Who counts the votes."""

    view: Slot
    """Of sequences, to one prediction for a clip of a view."""
    subject: Slot
    """Of views, to one prediction for a subject."""


class Evaluate(Strict):
    """How sure the figures are."""

    bootstrap: int = Field(1000, ge=0)
    """Resamples of the held-out subjects for the 95 % interval; 0 for none."""


class Crossfit(Strict):
    """Honest predictions of training patients, to fit what is fitted after training.

    Temperatures, label sets and learned voting rules must see how sure a network is of patients it
    did *not* learn from. So the training patients are divided into folds, and each fold is
    predicted by a network that learned from the others; held-out patients play no part.
    """

    folds: int = Field(0, ge=0)
    """Folds of the training patients, 2 or more; 0 for none, and nothing is fitted."""

    @model_validator(mode="after")
    def _one_fold_is_none(self) -> Crossfit:
        if self.folds == 1:
            raise ValueError(
                "folds is 1, and one fold has no others to learn from: 0, or 2 or more"
            )
        return self


class FeatureFusion(Strict):
    """One network over all views at once, to compare with networks that vote."""

    enabled: bool = False
    epochs: int | None = Field(None, ge=1)
    """Passes over the training patients; None for as many as the networks of one view take."""
    embedding: int = Field(32, ge=1)
    """Features of each view."""
    drop: float = Field(0.3, ge=0, lt=1)
    """Probability that a view is left out of a training sequence."""


class Report(Strict):
    """What the report shows."""

    examples: int = Field(1, ge=0)
    """Clips explained for each view and label."""


class Compute(Strict):
    """Where and how the numbers are crunched."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Literal["auto"] | Annotated[int, Field(ge=0)] = "auto"
    """Processes that make sequences beside the training process; 0 makes them within it. auto: none
    on a CPU, where they would take cores from the network, and up to eight beside a GPU."""
    compile: bool = False
    """Whether networks are trained through `torch.compile`: half a minute each; for a GPU."""
    jobs: int = Field(1, ge=1)
    """Networks trained at the same time, each in a process of its own."""


class Approach(Strict):
    """A way of looking at a clip: what it changes of the recipe."""

    enabled: bool = True
    backbone: Slot | None = None
    k: int | None = Field(None, ge=1)
