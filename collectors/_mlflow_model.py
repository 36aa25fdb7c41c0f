"""What the registry says of one model, one version, one alias, and the evidence each is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._mlflow import SYSTEM_TAG, clean, line, moment, need, pairs, tags_of, whole
from collectors.base import system_of
from evidence.errors import SourceBroken
from evidence.model import EvidenceItem, Nature, Outcome
from evidence.times import stamp


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model's own words; `aliases` maps each alias to a version number as text."""

    name: str
    created: datetime
    description: str
    tags: Mapping[str, str]
    aliases: Mapping[str, str]

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Model:
        """From one element of `registered_models`. Raises SourceBroken."""
        name = need(record, "name", "a registered model")
        what = f"model {name}"
        named = record.get("aliases") or []
        given = [{"key": a.get("alias"), "value": a.get("version")} for a in named]
        return cls(
            name=name, created=_time(record, "creation_timestamp", what),
            description=clean(str(record.get("description") or "")),
            tags=tags_of(record.get("tags"), what),
            aliases={key: str(value) for key, value in sorted(pairs(given, what).items())},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    """A model version's own words; its aliases are the model's to tell (search leaves them out)."""

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
        return cls(
            name=name, number=number, run_id=str(record.get("run_id") or ""),
            created=_time(record, "creation_timestamp", what),
            updated=_time(record, "last_updated_timestamp", what),
            origin=clean(str(record.get("source") or "")), status=str(record.get("status") or ""),
            description=clean(str(record.get("description") or "")),
            user=str(record.get("user_id") or ""), tags=tags_of(record.get("tags"), what),
        )  # fmt: skip

    @property
    def subject(self) -> str:
        """Its native key; MLflow allows no slash in a name."""
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The run that a version came from: who started it, and when. Empty when not known."""

    user: str = ""
    start: datetime | None = None

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Origin:
        """From a run's REST form. Raises SourceBroken."""
        info = record.get("info")
        if not isinstance(info, dict):
            raise SourceBroken("a run has no info", what="runs/get")
        data = record.get("data") or {}
        tags = tags_of(data.get("tags"), "a run")
        user = tags.get("mlflow.user") or str(info.get("user_id") or "")
        # MLflow writes "unknown" where the client said nothing: that is no name to compare.
        user = "" if user == "unknown" else user
        return cls(user, moment(whole(info.get("start_time"), "a run")))


@dataclass(frozen=True, slots=True)
class Maker:
    """Builds the items of one snapshot."""

    source: str
    address: str
    systems: Mapping[str, str]
    at: datetime
    production: tuple[str, ...]
    approval_tag: str

    def model(self, model: Model) -> EvidenceItem:
        """The registered model, without the time that any new version moves."""
        payload = {
            "name": model.name, "created": stamp(model.created),
            "description": model.description, "tags": model.tags,
        }  # fmt: skip
        return self._item(
            "mlflow.registered_model", model.name, model, payload, (model.created, model.created),
            title=f"Registered model {line(model.name)}", where=model.name,
        )  # fmt: skip

    def version(
        self, version: Version, model: Model | None, aliases: list[str], origin: Origin
    ) -> EvidenceItem:
        """The version, observed from its run's start to its own creation."""
        payload = {
            "name": version.name, "version": version.number, "run_id": version.run_id,
            "source": version.origin, "status": version.status, "aliases": aliases,
            "tags": version.tags, "description": version.description, "user_id": version.user,
            "created": stamp(version.created), "last_updated": stamp(version.updated),
        }  # fmt: skip
        begun = min(origin.start or version.created, version.created)
        known = f" ({line(', '.join(aliases))})" if aliases else ""
        return self._item(
            "mlflow.model_version", version.subject, model or version, payload,
            (begun, version.created), actor=version.user or origin.user,
            title=f"Model {line(version.name)} version {version.number}{known}",
            where=f"{version.name}/versions/{version.number}",
        )  # fmt: skip

    def alias(self, model: Model, alias: str, number: str, version: Version | None) -> EvidenceItem:
        """Where the alias points, observed from its version's creation until now: MLflow keeps no
        time of it. Approvals are told apart (`approval`), so that one changes only when it moves.
        """
        payload = {
            "model": model.name, "alias": alias, "version": number, "version_exists": bool(version),
            "production": alias in self.production, "run_id": version.run_id if version else "",
        }  # fmt: skip
        lost = "" if version else ", which does not exist"
        failed = not version and alias in self.production
        return self._item(
            "mlflow.model_alias", f"{model.name}@{alias}", model, payload,
            (self._since(model, version), self.at), where=f"{model.name}/versions/{number}",
            outcome=Outcome.FAILED if failed else Outcome.RECORDED,
            title=f"{line(model.name)}@{line(alias)} means version {number}{lost}",
        )  # fmt: skip

    def approval(
        self, model: Model, alias: str, number: str, version: Version | None, origin: Origin
    ) -> EvidenceItem:
        """Who approved what a production alias means, by the tag of that version."""
        approver = version.tags.get(self.approval_tag, "").strip() if version else ""
        creator = (version.user or origin.user).strip() if version else ""
        outcome, why = self._approval(number, version, approver, creator)
        payload = {
            "model": model.name, "alias": alias, "version": number, "approved_by": approver,
            "created_by": creator, "why": why, "run_id": version.run_id if version else "",
        }  # fmt: skip
        return self._item(
            "mlflow.approval", f"{model.name}@{alias}", model, payload,
            (self._since(model, version), self.at), where=f"{model.name}/versions/{number}",
            outcome=outcome, actor=approver,
            title=f"{line(model.name)}@{line(alias)} means version {number}: {line(why)}",
        )  # fmt: skip

    def _since(self, model: Model, version: Version | None) -> datetime:
        return min(version.created if version else model.created, self.at)

    def _approval(
        self, number: str, version: Version | None, approver: str, creator: str
    ) -> tuple[Outcome, str]:
        """What four eyes say."""
        if version is None:
            return Outcome.FAILED, f"version {number} does not exist"
        if not approver:
            return Outcome.FAILED, f"nobody approved it (no tag {self.approval_tag})"
        if approver.casefold() == creator.casefold():
            return Outcome.FAILED, f"approved by its own creator {approver}"
        if not creator:
            return Outcome.RECORDED, f"approved by {approver}, but its creator is not known"
        return Outcome.PASSED, f"approved by {approver}, created by {creator}"

    def _item(
        self, kind: str, subject: str, owner: Model | Version, payload: Mapping[str, Any],
        times: tuple[datetime, datetime], *, title: str, where: str, actor: str = "",
        outcome: Outcome = Outcome.RECORDED,
    ) -> EvidenceItem:  # fmt: skip
        return EvidenceItem(
            source=self.source, kind=kind, subject=subject, observed_from=times[0],
            observed_to=times[1], collected_at=self.at, payload=payload, nature=Nature.STATE,
            system=self._system(owner), title=title, outcome=outcome, actor=actor,
            locator=self._where(where),
        )  # fmt: skip

    def _system(self, owner: Model | Version) -> str:
        tag = owner.tags.get(SYSTEM_TAG, "")
        if tag in self.systems.values():
            return tag
        return system_of(self.systems, tag) or system_of(self.systems, owner.name)

    def _where(self, where: str) -> str:
        if self.address.startswith("http"):
            return f"{self.address.rstrip('/')}/#/models/{where}"
        return f"models:/{where.replace('/versions/', '/')}"


def _time(record: Mapping[str, Any], key: str, what: str) -> datetime:
    found = moment(whole(record.get(key), what))
    if found is None:
        raise SourceBroken(f"{what}: {key} {record.get(key)!r} is no time", what=what)
    return found
