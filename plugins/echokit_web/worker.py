"""The worker of a page: it claims studies one by one and judges them; networks stay loaded."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from echokit import CohortError, EchokitError, Model, QueuedStudy, StudyQueue, StudyResult
from echokit_web import judging
from echokit_web.work_folder import WorkFolder

log = logging.getLogger(__name__)

OWNER = "page"
TRIES = 3
"""Tries after which a study is set aside."""
PAUSE = 0.3
"""Seconds between two looks at an empty queue."""
KEPT = 20
"""Results that are kept in memory, for writers."""


class Worker:
    """Judges the studies of a queue in a thread."""

    def __init__(self, model: Model, folder: WorkFolder, queue: StudyQueue) -> None:
        self.model, self.folder, self.queue = model, folder, queue
        self._results: OrderedDict[str, StudyResult] = OrderedDict()
        self._progress: dict[str, tuple[str, int, int]] = {}
        self._claimed: QueuedStudy | None = None
        self._stop, self._one = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._work, name="judge", daemon=True)

    def start(self) -> None:
        """Start; what a server before this one had claimed is tried again."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; a study that is being judged is given back, and that was no try."""
        self._stop.set()
        self._thread.join(timeout=1.0)
        if self._claimed is not None:
            self.queue.postpone(self._claimed, "", 0.0, counts=False)

    def progress(self) -> Mapping[str, tuple[str, int, int]]:
        """Study that is being judged -> the step's title, the units done, and of how many."""
        return dict(self._progress)

    def result(self, study: str) -> StudyResult:
        """Return the result of a study that is done; one of before the last start is judged anew.

        Raises:
            CohortError: no clip of it can be used any more.
        """
        with self._one:
            if study not in self._results:
                self._keep(study, judging.predict(self.model, self.folder, self.queue, study))
            return self._results[study]

    def beside(self, model: Model, study: str) -> StudyResult:
        """Predict a study with another model, while no other study is judged.

        Raises:
            CohortError: no clip of it can be used.
        """
        with self._one:
            return judging.predict(model, self.folder, self.queue, study)

    def forget(self, study: str) -> None:
        """Forget the result of a study."""
        self._results.pop(study, None)

    def try_once(self, study: QueuedStudy) -> None:
        """Carry out one try of a claimed study, and record how it ended."""
        if study.tries > TRIES:
            self.queue.set_aside(study, f"the page ended {TRIES} times while working on it")
            return
        try:
            self._judge(study.study)
        except CohortError as error:
            self._show_refused(study.study)
            self.queue.set_aside(study, str(error))
        except OSError as error:  # a full disk is no fault of the study
            self.queue.postpone(study, error.strerror or "the disk failed", 10.0, counts=False)
        except SQLAlchemyError:
            raise
        except Exception as error:  # one study must not stop the page
            log.error("A try failed: %s", type(error).__name__)  # its text may name somebody
            told = str(error) if isinstance(error, EchokitError) else type(error).__name__
            self.queue.set_aside(study, told)
        else:
            self.queue.finish(study, rule=self.model.run, result=study.study)
        finally:
            self._progress.pop(study.study, None)

    def _judge(self, study: str) -> None:
        def told(title: str, done: int, total: int) -> None:
            self._progress[study] = title, done, total

        with self._one:
            told("Opening", 0, 0)
            self._results.pop(study, None)
            result = judging.predict(self.model, self.folder, self.queue, study, told)
            told("Drawing clips", 0, 0)
            judging.write(self.model, self.folder, self.queue, study, result)
            self._keep(study, result)

    def _show_refused(self, study: str) -> None:
        """Write the clips of a study that cannot be judged, so that its views can be corrected."""
        try:
            judging.write_refused(self.model, self.folder, self.queue, study)
        except (EchokitError, OSError) as error:
            log.error("Its clips cannot be shown: %s", type(error).__name__)

    def _keep(self, study: str, result: StudyResult) -> None:
        self._results[study] = result
        while len(self._results) > KEPT:
            self._results.popitem(last=False)

    def _work(self) -> None:
        released = False
        while not self._stop.is_set():
            try:
                released = released or self.queue.release(OWNER) >= 0
                claimed = self.queue.claim(OWNER)
                if claimed is not None:
                    self._claimed = claimed
                    self.try_once(claimed)
                    self._claimed = None
                    continue
            except SQLAlchemyError as error:  # it is locked, or its server is away
                log.error("The queue cannot be used: %s", type(error).__name__)
                released = False
            self._stop.wait(PAUSE)
