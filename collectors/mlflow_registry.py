"""The MLflow model registry as it stands: models, versions, aliases, approvals of what is live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar

from collectors import _mlflow
from collectors._mlflow import Absent, Answer, Door, Keys
from collectors._mlflow_model import Maker, Model, Origin, Version
from collectors.base import Clock, utc_now
from evidence.errors import ConfigError, SourceBusy
from evidence.model import Batch, Cursor, EvidenceItem
from evidence.secret import Secret
from evidence.snapshot import Snapshot

READS = 3
# Prompts are registered models with this tag; MLflow hides them unless they are asked for.
PROMPTS = {"filter": "tags.`mlflow.prompt.is_prompt` = 'true'", "order_by": ["name ASC"]}
Models = dict[str, Model]
Versions = dict[tuple[str, str], Version]


@dataclass(frozen=True, slots=True)
class MlflowRegistry:
    """Registered models, versions, aliases and approvals, as states: a whole snapshot each time.

    MLflow moves no time when a tag (an approval) or an alias changes, and forgets a deleted
    version, so only the difference between snapshots tells. `registry_uri` is `tracking_uri`
    unless given; `systems` maps a glob over the model's tag `headwater.system` or its name to an
    AI system. For each alias in `production_aliases` there is an approval: failed when its version
    carries no `approval_tag` or was approved by its own creator, passed when another person
    approved it. The alias itself changes only when it moves, so a late approval is no deployment.
    The registry is read twice, in opposite orders, until both readings agree: page tokens are
    offsets and shift, and half a snapshot would report losses that never were. Prompts live in
    the same tables; they are counted in the query, not landed. Raises ConfigError.
    """

    source: str
    tracking_uri: str
    registry_uri: str = ""
    systems: Mapping[str, str] = field(default_factory=dict)
    production_aliases: tuple[str, ...] = ("champion",)
    approval_tag: str = "approved_by"
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
    )
    states: ClassVar[tuple[str, ...]] = kinds

    def __post_init__(self) -> None:
        _mlflow.check_uri(self.tracking_uri, self._keys)
        if self.registry_uri:
            _mlflow.check_uri(self.registry_uri, self._keys, setting="registry_uri")
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
            runs = opened.enter_context(_mlflow.open_door(self.tracking_uri, self._keys))
            door = runs
            if self.registry_uri and self.registry_uri != self.tracking_uri:
                door = opened.enter_context(_mlflow.open_door(self.registry_uri, self._keys))
            yield self._batch(door, _Runs(runs), before)

    def probe(self) -> str:
        """Reads one page of models; says as whom."""
        with _mlflow.open_door(self.registry_uri or self.tracking_uri, self._keys) as door:
            answer = door.ask(
                "registered-models/search",
                {"max_results": self.page_size, "order_by": ["name ASC"]},
            )
            found = len(_mlflow.rows(answer, "registered_models"))
            more = "or more " if _mlflow.token(answer) else ""
            return f"{door.api_version} as {door.identity}: {found} {more}registered models"

    def _batch(self, door: Door, runs: _Runs, before: Snapshot) -> Batch:
        heard: list[Answer] = []
        models, versions, promised = self._agreed(door, heard)
        prompts = self._search(door, "registered-models", PROMPTS, heard)
        at = self.clock()
        maker = Maker(
            self.source, self.registry_uri or self.tracking_uri, self.systems, at,
            self.production_aliases, self.approval_tag,
        )  # fmt: skip
        items = tuple(_items(maker, models, versions, runs, before))
        changed, after = before.compare(items, at=at, source=self.source)
        facts = _mlflow.facts_of(
            door, heard + runs.heard, received=len(models) + len(versions), promised=promised,
            window_to=at, states=self.states,
            query="registered-models/search and model-versions/search, every page, read until two "
            f"readings agree; {len(prompts)} prompts left out",
        )  # fmt: skip
        return Batch(changed, after.cursor(), facts)

    def _agreed(self, door: Door, heard: list[Answer]) -> tuple[Models, Versions, int]:
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

    def _read(self, door: Door, order: str, heard: list[Answer]) -> tuple[Models, Versions]:
        found = self._search(door, "registered-models", {"order_by": [f"name {order}"]}, heard)
        models = {model.name: model for model in map(Model.read, found)}
        by = {"order_by": [f"name {order}", f"version_number {order}"]}
        each = map(Version.read, self._search(door, "model-versions", by, heard))
        return models, {(version.name, version.number): version for version in each}

    def _search(
        self, door: Door, what: str, body: Mapping[str, Any], heard: list[Answer]
    ) -> list[Mapping[str, Any]]:
        key = what.replace("-", "_")
        asked = {"max_results": self.page_size, **body}
        return _mlflow.every(door, f"{what}/search", key, asked, heard)


class _Runs:
    """The runs that versions came from, each asked for once."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.heard: list[Answer] = []
        self.known: dict[str, Origin] = {}

    def origin(self, run_id: str) -> Origin:
        """Who started the run and when; unknown where MLflow has no such run any more."""
        if run_id and run_id not in self.known:
            self.known[run_id] = self._ask(run_id)
        return self.known.get(run_id, Origin())

    def _ask(self, run_id: str) -> Origin:
        try:
            answer = self.door.ask("runs/get", {"run_id": run_id})
        except Absent:
            return Origin()
        self.heard.append(answer)
        return Origin.read(answer.body.get("run", {}))


def _items(
    maker: Maker, models: Models, versions: Versions, runs: _Runs, before: Snapshot
) -> Iterator[EvidenceItem]:
    """All states; the run of a version is asked for only where the answer matters."""
    aliases: dict[tuple[str, str], list[str]] = {}
    for model in models.values():
        for alias, number in model.aliases.items():
            aliases.setdefault((model.name, number), []).append(alias)
    for model in models.values():
        yield maker.model(model)
    known = {tuple(key.split("\x1f"))[-1] for key in before.seen}
    for key, version in versions.items():
        origin = Origin() if version.subject in known else runs.origin(version.run_id)
        owner = models.get(version.name)
        yield maker.version(version, owner, sorted(aliases.get(key, [])), origin)
    for model in models.values():
        for alias, number in model.aliases.items():
            pointed = versions.get((model.name, number))
            yield maker.alias(model, alias, number, pointed)
            if alias in maker.production:
                origin = runs.origin(pointed.run_id) if pointed else Origin()
                yield maker.approval(model, alias, number, pointed, origin)
