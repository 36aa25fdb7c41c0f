"""Which days nobody works: weekends and days off, as plain dates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_DAY = timedelta(days=1)
_LONGEST = 60
SATURDAY, SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class Workdays:
    """Days on which something can be due. Empty: every day.

    `weekend` are days of the week (Monday is 0), `off` dates off beside them, `worked` dates that
    are worked although they fall on a weekend. Raises ValueError if no day of the week is left.
    """

    weekend: frozenset[int] = frozenset()
    off: frozenset[date] = frozenset()
    worked: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if self.weekend >= set(range(7)):
            raise ValueError("no day of the week is left to work on")

    def works(self, day: date) -> bool:
        """Whether it is a working day."""
        if day in self.worked:
            return True
        return day.weekday() not in self.weekend and day not in self.off

    def on_or_after(self, day: date) -> date:
        """The day itself or the next working day.

        After 60 days without one the day itself: what is due is not put off for ever.
        """
        for later in range(_LONGEST):
            if self.works(day + later * _DAY):
                return day + later * _DAY
        return day

    def since(self, day: date) -> date:
        """The first day that is put off to `day`, or the day itself."""
        first = day
        while (day - first).days < _LONGEST and self.on_or_after(first - _DAY) == day:
            first -= _DAY
        return first


EVERY_DAY = Workdays()
"""No day is off."""
