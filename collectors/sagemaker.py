"""Amazon SageMaker: what models there are, what describes them, and what their monitors found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from collectors._aws import sagemaker_models as models
from collectors._aws import sagemaker_monitors as monitors
from collectors._aws.reach_marks import read_marks
from collectors._aws.source import AwsSource, Place, Reader, everywhere, hides, read
from collectors._states import compared
from collectors.base import Window
from evidence.model import Batch, Cursor, EvidenceItem


@dataclass(frozen=True)
class SageMaker(AwsSource):
    """Model packages, model cards, endpoints, monitoring schedules and what their runs found.

    An approval of a package is recorded, not judged: SageMaker does not say who gave it, only who
    changed the package last; CloudTrail's `UpdateModelPackage` does. A card has passed when it is
    approved; its content is not read. A schedule has failed when it is stopped or failed. A run
    becomes the event `aws.sagemaker.monitor_run` when it has ended: passed, failed on violations,
    an error when it could not finish.
    """

    window: Window | None = None

    kinds: ClassVar[tuple[str, ...]] = (
        models.PACKAGE, models.CARD, models.ENDPOINT, monitors.SCHEDULE, monitors.RUN,
    )  # fmt: skip
    states: ClassVar[tuple[str, ...]] = kinds[:-1]

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """One batch: settings that differ, and runs that ended since; see Collector.collect."""
        marks, asking = read_marks(cursor), self._asking()
        runs: list[EvidenceItem] = []
        reached: dict[str, int] = {}

        def ended(place: Place) -> Iterator[EvidenceItem]:
            """Runs are no states, so they go round the comparison."""
            subject = place.subject()
            found, reached[subject] = monitors.runs(place, marks.reached.get(subject), self.window)
            runs.extend(found)
            yield from ()

        settings: dict[str, Reader] = {
            models.PACKAGE: models.packages,
            models.CARD: models.cards,
            models.ENDPOINT: models.endpoints,
            monitors.SCHEDULE: monitors.schedules,
        }
        readers = {**({} if self.window else settings), monitors.RUN: ended}
        items, withheld = read(self, asking, everywhere(self.regions, readers))
        changed, after = compared(
            marks.states, items, lambda kind, subject: hides(withheld, asking, kind, subject),
            at=asking.at, source=self.source,
        )  # fmt: skip
        asking.received += len(runs)
        cut = {kind for kind, _ in withheld}
        states = tuple(kind for kind in self.states if kind in readers and kind not in cut)
        facts = asking.facts(f"{', '.join(self.kinds)} in {', '.join(self.regions)}", states)
        yield Batch((*changed, *runs), marks.then(after, reached).cursor(), facts)

    def probe(self) -> str:
        """Asks who the credentials belong to."""
        asking = self._asking()
        return f"{asking.identity} in account {asking.account}, {len(self.regions)} regions"
