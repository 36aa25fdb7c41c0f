"""What a named person decides about something that a model or code made."""

from __future__ import annotations

from dataclasses import dataclass

from evidence.errors import ConfigError
from evidence.people import person
from flows.lookup import SIGNS


@dataclass(frozen=True, slots=True)
class Decision:
    """Of what (an id, or its start) a person speaks, who that is, and why."""

    what: str
    by: str
    why: str

    def named(self) -> str:
        """The person, as a name is kept. Raises ConfigError for too little of any of the three."""
        if len(self.what) < SIGNS:
            raise ConfigError(f"{self.what!r}: an id needs at least {SIGNS} signs")
        if not self.why.strip():
            raise ConfigError("--why is empty: say why, it stands in the record")
        try:
            return person(self.by)
        except ValueError as error:
            raise ConfigError(str(error)) from error
