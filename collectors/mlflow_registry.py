"""The MLflow model registry as it stands: models, versions, aliases, approvals of what is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar

from collectors._mlflow import store
from collectors._mlflow.model import PROMPT, Model, Version
from collectors._mlflow.origins import Origin, Origins
from collectors._mlflow.registry_items import Maker
from collectors._mlflow.store import Door, Keys
from collectors.base import Clock, utc_now
from evidence.errors import ConfigError, SourceBusy
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.secret import Secret
from evidence.snapshot import Snapshot

READS = 3
# MLflow hides prompts unless they are asked for.
PROMPTS = {"filter": f"tags.`{PROMPT}` = 'true'"}
Models = dict[str, Model]
Versions = dict[tuple[str, str], Version]


@dataclass(frozen=True, slots=True)
class MlflowRegistry:
    """Registered models and prompts, with versions, aliases and approvals, as states.

    MLflow moves no time when a tag (an approval) or an alias changes, and forgets a deleted
    version, so only the difference between whole snapshots tells. `registry_uri` is `tracking_uri`
    unless given; `systems` maps a glob over the model's tag `headwater.system` or its name to an
    AI system. For each alias in `production_aliases` there is an approval: failed when its version
    carries no `approval_tag` or was approved by its own creator, passed when another person
    approved it. The alias itself changes only when it moves, so a late approval is no deployment.
    The registry is read twice, in opposite orders, until both readings agree: page tokens are
    offsets and shift, and half a snapshot would report losses that never were. A version that an
    alias points to has failed when its run was deleted, or is not there; `runs_elsewhere` allows
    the latter, for versions that come from another server. The logged model behind a version is an
    item of its own. Of a prompt's text only length and digest are kept. Raises ConfigError.
    """

    source: str
    tracking_uri: str
    registry_uri: str = ""
    systems: Mapping[str, str] = field(default_factory=dict)
    production_aliases: tuple[str, ...] = ("champion",)
    approval_tag: str = "approved_by"
    runs_elsewhere: bool = False
    page_size: int = 500
    user: str = ""
    password: Secret | None = None
    token: Secret | None = None
    clock: Clock = field(default=utc_now, repr=False, compare=False)

    kinds: ClassVar[tuple[str, ...]] = (
        "mlflow.registered_model",
        "mlflow.model_version",
        "mlflow.model_alias",
        "mlflow.approval",
        "mlflow.logged_model",
        "mlflow.prompt",
        "mlflow.prompt_version",
        "mlflow.prompt_alias",
    )
    states: ClassVar[tuple[str, ...]] = kinds

    def __post_init__(self) -> None:
        store.check_uri(self.tracking_uri, self._keys)
        if self.registry_uri:
            store.check_uri(self.registry_uri, self._keys, setting="registry_uri")
        if not 1 <= self.page_size <= 1000:
            raise ConfigError(f"page_size: {self.page_size} is not between 1 and 1000")
        if not self.approval_tag.strip():
            raise ConfigError("approval_tag: must name the tag that carries the approver")

    @property
    def _keys(self) -> Keys:
        return Keys(self.user, self.password, self.token)

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:
        """One batch with what differs from the last snapshot. Raises SourceBusy and others."""
        before = Snapshot.read(cursor)
        with ExitStack() as opened:
            runs = opened.enter_context(store.open_door(self.tracking_uri, self._keys))
            door = runs
            if self.registry_uri and self.registry_uri != self.tracking_uri:
                door = opened.enter_context(store.open_door(self.registry_uri, self._keys))
            yield self._batch(door, Origins(runs), before)

    def probe(self) -> str:
        """Reads one page of models; says as whom."""
        with store.open_door(self.registry_uri or self.tracking_uri, self._keys) as door:
            answer = door.ask(
                "registered-models/search",
                {"max_results": self.page_size, "order_by": ["name ASC"]},
            )
            found = len(store.rows(answer, "registered_models"))
            more = "or more " if store.token(answer) else ""
            return f"{door.api_version} as {door.identity}: {found} {more}registered models"

    def _batch(self, door: Door, origins: Origins, before: Snapshot) -> Batch:
        heard: list[str] = []
        models, versions, promised = self._agreed(door, heard)
        origins.load(versions.values())
        at = self.clock()
        maker = Maker(
            self.source, self.registry_uri or self.tracking_uri, self.systems, at,
            self.production_aliases, self.approval_tag, self.runs_elsewhere,
        )  # fmt: skip
        items = tuple(_items(maker, models, versions, origins))
        changed, after = before.compare(items, at=at, source=self.source)
        facts = store.facts_of(
            door, heard + origins.heard, received=len(models) + len(versions), promised=promised,
            window_to=at, states=self.states,
            query="registered-models/search and model-versions/search, every page, read until two "
            f"readings agree; {sum(model.prompt for model in models.values())} of them prompts",
        )  # fmt: skip
        return Batch(changed, after.cursor(), facts)

    def _agreed(self, door: Door, heard: list[str]) -> tuple[Models, Versions, int]:
        """The registry when two readings in opposite orders say the same, and how many it promised.

        Raises SourceBusy when it changes faster than it can be read.
        """
        earlier = self._read(door, "ASC", heard)
        for number in range(READS):
            models, versions = self._read(door, "ASC" if number % 2 else "DESC", heard)
            if (models, versions) == earlier:
                return models, versions, len(earlier[0]) + len(earlier[1])
            earlier = models, versions
        raise SourceBusy("the registry changes while it is read; try again when it rests")

    def _read(self, door: Door, order: str, heard: list[str]) -> tuple[Models, Versions]:
        by_name = {"order_by": [f"name {order}"]}
        by_number = {"order_by": [f"name {order}", f"version_number {order}"]}
        models: Models = {}
        versions: Versions = {}
        for asked in ({}, PROMPTS):
            for record in self._search(door, "registered-models", asked | by_name, heard):
                model = Model.read(record)
                models[model.name] = model
            for record in self._search(door, "model-versions", asked | by_number, heard):
                version = Version.read(record)
                versions[version.name, version.number] = version
        return models, versions

    def _search(
        self, door: Door, what: str, body: Mapping[str, Any], heard: list[str]
    ) -> list[Mapping[str, Any]]:
        key = what.replace("-", "_")
        asked = {"max_results": self.page_size, **body}
        return store.every(door, f"{what}/search", key, asked, heard)


def _items(
    maker: Maker, models: Models, versions: Versions, origins: Origins
) -> Iterator[EvidenceItem]:
    """All states."""
    aliases: dict[tuple[str, str], list[str]] = {}
    for model in models.values():
        yield maker.model(model)
        for alias, number in model.aliases.items():
            aliases.setdefault((model.name, number), []).append(alias)
    for key, version in versions.items():
        owner = models.get(version.name)
        yield maker.version(version, owner, sorted(aliases.get(key, [])), origins.of(version))
    for logged, registered in origins.logged(versions.values()):
        yield maker.logged(logged, registered, models.get(registered[0].name))
    for model in models.values():
        for alias, number in model.aliases.items():
            pointed = versions.get((model.name, number))
            yield maker.alias(model, alias, number, pointed)
            if alias in maker.production:
                origin = origins.of(pointed) if pointed else Origin()
                yield maker.approval(model, alias, number, pointed, origin)
