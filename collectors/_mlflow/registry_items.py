"""The evidence that one reading of the registry is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from collectors._mlflow.model import Model, Version
from collectors._mlflow.origins import ABSENT, ACTIVE, LoggedModel, Origin
from collectors._mlflow.store import SYSTEM_TAG, line
from collectors.base import system_of
from evidence.model import EvidenceItem, Nature, Outcome
from evidence.times import stamp


@dataclass(frozen=True, slots=True)
class Maker:
    """Builds the items of one snapshot."""

    source: str
    address: str
    systems: Mapping[str, str]
    at: datetime
    production: tuple[str, ...]
    approval_tag: str
    runs_elsewhere: bool

    def model(self, model: Model) -> EvidenceItem:
        """The registered model or prompt, without the time that any new version moves."""
        payload = {
            "name": model.name, "created": stamp(model.created),
            "description": model.description, "tags": model.tags,
        }  # fmt: skip
        return self._item(
            "mlflow.prompt" if model.prompt else "mlflow.registered_model", model.name, model,
            payload, (model.created, model.created), where=model.name,
            title=f"{'Prompt' if model.prompt else 'Registered model'} {line(model.name)}",
        )  # fmt: skip

    def version(
        self, version: Version, model: Model | None, aliases: list[str], origin: Origin
    ) -> EvidenceItem:
        """The version, observed from its run's start to its own creation.

        One in use has failed when the run that it came from is not there any more.
        """
        lost = bool(version.run_id) and origin.state != ACTIVE
        excused = origin.state == ABSENT and self.runs_elsewhere
        told = f"; its run {version.run_id[:12]} is {origin.state}" if lost else ""
        payload = {
            "name": version.name, "version": version.number, "run_id": version.run_id,
            "source": version.origin, "status": version.status, "aliases": aliases,
            "tags": version.tags, "description": version.description, "user_id": version.user,
            "created": stamp(version.created), "last_updated": stamp(version.updated),
            "run_state": origin.state, "logged_model": version.logged_model,
        }  # fmt: skip
        begun = min(origin.start or version.created, version.created)
        known = f" ({line(', '.join(aliases))})" if aliases else ""
        return self._item(
            "mlflow.prompt_version" if version.prompt else "mlflow.model_version",
            version.subject, model or version, payload,
            (begun, version.created), actor=version.user or origin.user,
            title=f"{'Prompt' if version.prompt else 'Model'} {line(version.name)} version "
            f"{version.number}{known}{told}",
            where=f"{version.name}/versions/{version.number}",
            outcome=Outcome.FAILED if lost and aliases and not excused else Outcome.RECORDED,
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
            "mlflow.prompt_alias" if model.prompt else "mlflow.model_alias",
            f"{model.name}@{alias}", model, payload,
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

    def logged(
        self, logged: LoggedModel, versions: Sequence[Version], model: Model | None
    ) -> EvidenceItem:
        """The logged model behind versions: what it is made of and how it was measured."""
        names = [version.subject for version in versions]
        return self._item(
            "mlflow.logged_model", logged.model_id, model or versions[0],
            logged.payload() | {"registered_as": names}, (logged.created, logged.created),
            title=f"Logged model {line(logged.name or logged.model_id)}, registered as "
            f"{line(', '.join(names))}",
            where=f"{versions[0].name}/versions/{versions[0].number}",
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
