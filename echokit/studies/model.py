"""Predict studies with a trained model: votes, confidences, saliency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from os import PathLike
from pathlib import Path

import numpy as np

import echokit
from echokit.clips.store import Store
from echokit.components.slots import make_abstention
from echokit.components.views import newest_view_run, open_view_classifier
from echokit.errors import CohortError, EchokitError, UsageError
from echokit.interfaces import Aggregator
from echokit.recipe import Recipe
from echokit.studies.clips import Desk, outcome, predict_clips, prepare_clips
from echokit.studies.networks import Networks
from echokit.studies.outcomes import ClipResult, SubjectResult
from echokit.studies.result import StudyResult, study_title
from echokit.studies.shown import ShownClip, show_clips
from echokit.studies.sources import Address, Pixels, Source, files_of, open_study
from echokit.system.leftovers import scratch_folder
from echokit.system.progress import Listener, Progress, watched
from echokit.types import Clip, Prediction, Rejection
from echokit.voting.abstain import NOT_JUDGED
from echokit.voting.view_classifier import ViewClassifier
from echokit.voting.votes import votes_of_views

OTHER_STUDY = "unknown"
"""What stands for the examination of clips that do not say theirs, beside others that do."""
OpenedViews = dict[tuple[Path, float], ViewClassifier | None]
"""Folder and threshold -> a network that tells views."""


@dataclass(frozen=True, slots=True)
class Model:
    """The networks of a finished run or bundle, for one task.

    A network is opened for the first clip of its view and kept for all studies after it.

    >>> model = echokit.load("runs/ph-newborn")
    >>> model.classes
    ('none', 'mild', 'moderate-severe')
    >>> of_file = model.predict("clip.dcm", view="A4C")
    >>> of_array = model.predict(echokit.read("clip.dcm").frames, view="A4C", saliency=False)
    >>> of_file.clips[0].saliency.explanation.saliency.values.shape
    (12, 32, 32)
    >>> of_array.clips[0].saliency is None
    True
    """

    folder: Path
    """The run's folder, or the bundle's."""
    run: str
    """Name of the run that trained the networks."""
    task: str
    """The question that is asked."""
    networks: Networks
    """One for each view."""
    rule: Aggregator
    """The voting rule of views, fitted on training patients if it learns."""
    synthetic: bool
    """True if the networks learned from a synthetic cohort."""
    view_networks: OpenedViews = field(default_factory=dict, repr=False, compare=False)
    """Networks that tell views, once they were opened; None where the one beside the run is not
    used."""

    @property
    def recipe(self) -> Recipe:
        """The recipe of the networks' approach."""
        return self.networks.parts.recipe

    @property
    def classes(self) -> tuple[str, ...]:
        """Labels to choose from, least severe first."""
        return self.networks.classes

    @property
    def views(self) -> tuple[str, ...]:
        """Views that there is a network for."""
        return tuple(self.networks.weights)

    def predict(
        self,
        source: Source,
        view: str | Sequence[str | None] | None = None,
        *,
        view_run: str | Path | None = None,
        view_threshold: float | None = None,
        saliency: bool = True,
        test_saliency: bool = False,
        judge_anyway: bool = False,
        options: Mapping[str, object] | None = None,
        progress: Progress | Listener | None = None,
    ) -> StudyResult:
        """Predict one study. Nothing is written until the result's `save` is called.

        Args:
            source: a clip's file, a folder of them, `LOADER:ADDRESS`, a `Clip`, grey frames as a
                uint8 array (T, H, W), or a list of these.
            view: the view of every clip, or one for each of a list; None reads it from the files.
                `auto`: where they do not say it, a network does.
            view_run: a run that tells views; None takes the newest beside this run. It finds views
                with `auto`, and always checks those that were given.
            view_threshold: how sure that network must be, 0 to 1, to find a view or to reject one
                that was given; None takes the recipe's.
            saliency: explain each clip, which takes more time than to predict it.
            test_saliency: test each saliency map as a run does; else the run's own tests of the
                same network stand beside it.
            judge_anyway: predict also clips that are unlike the training clips, or that the view
                network takes for another view; each is marked. Else they are rejected, and a study
                of such clips alone has no subject.
            options: options of the loader that reads files, which override the run's recipe.
            progress: a function `(title, done, total)`, or a `Progress`.

        Raises:
            UsageError: there is no such study, or no network for the view.
            CohortError: no clip of the study can be read and prepared; every one is named with its
                reason.
        """
        without = self.networks.without_saliency
        if test_saliency and (without or not saliency):
            raise UsageError(f"There is no saliency to test: {without or 'saliency is False.'}")
        classifier: ViewClassifier | None
        finds_views = isinstance(view, str) and view.lower() == "auto"
        view = None if finds_views else view
        if finds_views or view_run is not None:
            classifier = self.view_classifier(view_run, view_threshold)
        elif view_threshold is not None:
            raise UsageError("--view-threshold goes with --view auto or --view-run.")
        else:
            classifier = self._view_check()
        sources: Sequence[Address | Pixels]
        sources = [source] if isinstance(source, str | PathLike | Clip | np.ndarray) else source
        views = self._views(view, len(sources))
        loader = open_study(self.recipe.study, sources, views, options or {})
        with scratch_folder() as scratch:
            desk = Desk(
                networks=self.networks,
                loader=loader,
                store=Store(scratch),
                progress=watched(progress),
                view_from="file" if view is None else "--view",
                view_classifier=classifier,
                finds_views=finds_views,
                judge_anyway=judge_anyway,
                saliency=saliency and not without,
                test_saliency=test_saliency,
            )
            prepared = prepare_clips(desk)
            if not prepared.ready and not prepared.doubted:
                named = "; ".join(f"{one.where}: {one.reason}" for one in prepared.rejected)
                raise CohortError(
                    f"No clip of the study can be used. {named or 'it holds no file'}."
                )
            predicted = predict_clips(desk, prepared)
        clips = [predicted.results[clip] for clip in prepared.ready if clip in predicted.results]
        limits = self.networks.limits
        return StudyResult(
            study=study_title(date.today(), len(clips)),
            run=self.run,
            recipe=self.recipe.name,
            task=self.task,
            classes=self.classes,
            synthetic_training=self.synthetic or bool(classifier and classifier.synthetic),
            view_run=classifier.run if classifier else None,
            inference=predicted.inference,
            without_saliency=without if saliency else "No saliency: it was not asked for.",
            subjects=self._subjects(clips),
            rejected=prepared.rejected + predicted.rejected,
            view_from=desk.view_from,
            view_confidence=prepared.view_confidence,
            stages=tuple(desk.profile.rows()),
            version=echokit.__version__,
            uncalibrated=limits.why_uncalibrated(clips),
            weights=self.networks.digests(clip.view for clip in clips),
            files=files_of(loader, (prepared.ready[clip.clip][0] for clip in clips)),
            record=limits.record,
        )

    def show(
        self, source: Source, *, options: Mapping[str, object] | None = None
    ) -> Iterator[ShownClip | Rejection]:
        """Read the clips of a study to look at them; none is predicted, nothing is written.

        Args:
            source: as for `predict`.
            options: options of the loader that reads files, which override the run's recipe.

        Raises:
            UsageError: there is no such study.
        """
        sources: Sequence[Address | Pixels]
        sources = [source] if isinstance(source, str | PathLike | Clip | np.ndarray) else source
        loader = open_study(self.recipe.study, sources, [None] * len(sources), options or {})
        return show_clips(loader, self.networks.parts.preparation)

    def view_classifier(
        self, run: str | Path | None = None, threshold: float | None = None
    ) -> ViewClassifier:
        """Open the network that tells views; see `predict`."""
        usual = self.recipe.views.threshold
        folder = Path(run) if run is not None else newest_view_run(self.folder)
        key = folder.resolve(), usual if threshold is None else threshold
        opened = self.view_networks.get(key) or open_view_classifier(folder, key[1])
        self.view_networks[key] = opened
        return opened

    def _view_check(self) -> ViewClassifier | None:
        """Open the network that checks given views, where one stands beside this run.

        One that learned from synthetic clips is no judge of real ones, and that of echokit is only
        asked to find views: it needs torch, which a bundle does without.
        """
        key = self.folder.resolve(), -1.0
        if key not in self.view_networks:
            try:
                named = self.recipe.views.classifier
                found = self.view_classifier(named or newest_view_run(self.folder, demo=False))
            except EchokitError:
                found = None
            fits = found is not None and (self.synthetic or not found.synthetic)
            self.view_networks[key] = found if fits else None
        return self.view_networks[key]

    def _views(
        self, view: str | Sequence[str | None] | None, sources: int
    ) -> tuple[str | None, ...]:
        """Return the canonical view of each source.

        Raises:
            UsageError: no network knows one, or there are not as many views as sources.
        """
        if view is None or isinstance(view, str):
            return (self._view(view),) * sources
        if len(view) != sources:
            raise UsageError(f"There are {sources} clips and {len(view)} views: give one for each.")
        return tuple(map(self._view, view))

    def _view(self, view: str | None) -> str | None:
        if view is None:
            return None
        alias = self.recipe.views.alias
        spelled = {name.lower(): name for name in (*alias, *self.views)}
        name = spelled.get(view.lower(), view)
        name = alias.get(name, name)
        if name not in self.views:
            known = ", ".join(self.views)
            raise UsageError(f"The run has no network for the view {name!r}: it has {known}.")
        return name

    def _subjects(self, clips: Sequence[ClipResult]) -> tuple[SubjectResult, ...]:
        """Let the clips of each patient vote, those of each examination among themselves."""
        studies: dict[str, dict[str, list[ClipResult]]] = {}
        for clip in clips:
            studies.setdefault(clip.patient, {}).setdefault(clip.study, []).append(clip)
        return tuple(
            self._subject(patient, tuple(group), (study or OTHER_STUDY) if len(own) > 1 else "")
            for patient, own in studies.items()
            for study, group in own.items()
        )

    def _subject(self, patient: str, clips: tuple[ClipResult, ...], study: str) -> SubjectResult:
        ballot = [
            (c.view, Prediction(c.label, c.confidence, np.array(list(c.probabilities.values()))))
            for c in clips
        ]
        views = {clip.view for clip in clips}
        votes = votes_of_views(ballot, self.classes)
        label, confidence, probabilities = outcome(prediction := self.rule(votes), self.classes)
        abstention = make_abstention(self.recipe)(votes, prediction)
        calibrated, held = self.networks.limits.calibrate_subject(
            clips, prediction, self.classes, self.rule
        )
        return SubjectResult(
            NOT_JUDGED if abstention else label,
            confidence,
            probabilities,
            patient=patient,
            views_used=tuple(view for view in self.views if view in views),
            views_missing=tuple(v for v in self.recipe.views.use if v not in views),
            clips=clips,
            vote=label,
            not_judged=abstention.sentence if abstention else "",
            study=study,
            calibrated_probabilities=calibrated,
            label_set=held,
        )
