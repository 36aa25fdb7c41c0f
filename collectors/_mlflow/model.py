"""What the registry says of one model or prompt, and of one version of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._mlflow.store import clean, moment, need, pairs, sealed, tags_of, whole
from evidence.errors import SourceBroken

_LOGGED = re.compile(r"models:/(m-[0-9a-f]{32})(?:/.*)?")
# MLflow keeps a prompt as a registered model with this tag, and its text in a tag of the version.
PROMPT, TEXT = "mlflow.prompt.is_prompt", "mlflow.prompt.text"


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model's own words; `aliases` maps each alias to a version number as text.

    `prompt` says that it is a prompt.
    """

    name: str
    created: datetime
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, str]
    prompt: bool

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Model:
        """From one element of `registered_models`. Raises SourceBroken."""
        name = need(record, "name", "a registered model")
        what = f"model {name}"
        named = record.get("aliases") or []
        given = [{"key": a.get("alias"), "value": a.get("version")} for a in named]
        tags = tags_of(record.get("tags"), what)
        return cls(
            name=name, created=_time(record, "creation_timestamp", what),
            description=clean(str(record.get("description") or "")), tags=tags,
            aliases={key: str(value) for key, value in sorted(pairs(given, what).items())},
            prompt=tags.get(PROMPT) == "true",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    """A model version's own words; its aliases are the model's to tell (search leaves them out).

    Of a prompt's text only length and digest are kept.
    """

    name: str
    number: str
    run_id: str
    created: datetime
    updated: datetime
    origin: str
    status: str
    description: str
    user: str
    tags: Mapping[str, str]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Version:
        """From one element of `model_versions`. Raises SourceBroken."""
        name = need(record, "name", "a model version")
        number = str(record.get("version") or "")
        what = f"model {name} version {number}"
        if not number:
            raise SourceBroken(f"{what} has no number", what=name)
        tags = tags_of(record.get("tags"), what)
        if tags.get(PROMPT) == "true" and TEXT in tags:
            tags[TEXT] = sealed(str(pairs(record.get("tags"), what)[TEXT]))
        return cls(
            name=name, number=number, run_id=str(record.get("run_id") or ""),
            created=_time(record, "creation_timestamp", what),
            updated=_time(record, "last_updated_timestamp", what),
            origin=clean(str(record.get("source") or "")), status=str(record.get("status") or ""),
            description=clean(str(record.get("description") or "")),
            user=str(record.get("user_id") or ""), tags=tags,
        )  # fmt: skip

    @property
    def subject(self) -> str:
        """Its native key; MLflow allows no slash in a name."""
        return f"{self.name}/{self.number}"

    @property
    def prompt(self) -> bool:
        """Whether it is of a prompt."""
        return self.tags.get(PROMPT) == "true"

    @property
    def logged_model(self) -> str:
        """The id of the logged model that was registered, empty where it was something else."""
        found = _LOGGED.fullmatch(self.origin)
        return found[1] if found else ""


def _time(record: Mapping[str, Any], key: str, what: str) -> datetime:
    found = moment(whole(record.get(key), what))
    if found is None:
        raise SourceBroken(f"{what}: {key} {record.get(key)!r} is no time", what=what)
    return found
