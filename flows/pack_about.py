"""What a pack is asked for, and what of the judged moment that is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dashboards.cut import standing_of
from evidence.errors import ConfigError, InvalidItem
from evidence.excerpt import Excerpt
from evidence.freshness import ControlStanding, Verdict
from evidence.times import day_or_time, stamp
from flows.judgement import Judged
from flows.pack_missing import Missing
from mappings.controls import Control
from storage import pack


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pack is asked for. None or empty: no limit; a `framework` stands for all controls
    that speak to it. `items` are ids; `about`, `extra` (file name → rows) and `lacks` say what they
    answer, and what not. `narrowed` says what an audit or requests hold and this pack does not:
    `controls` are ids, `of` is what was narrowed. `cut` makes it fit the items that are in it."""

    controls: Sequence[str] = ()
    framework: str = ""
    systems: Sequence[str] = ()
    kinds: Sequence[str] = ()
    begin: datetime | None = None
    end: datetime | None = None
    items: Sequence[str] | None = None
    about: str = ""
    extra: Sequence[tuple[str, Sequence[dict[str, Any]]]] = ()
    lacks: Sequence[Missing] = ()
    narrowed: Mapping[str, Any] | None = None
    cut: Callable[[frozenset[str]], Wanted] | None = None

    @property
    def narrows(self) -> bool:
        """Whether it leaves out some of what it is of."""
        return any((self.controls, self.systems, self.kinds, self.begin, self.end))


def wanted_of(
    controls: Sequence[str] | None, framework: str, systems: Sequence[str] | None,
    kinds: Sequence[str] | None, since: str, until: str, *, everything: bool,
) -> Wanted:  # fmt: skip
    """What the options ask for. Raises ConfigError."""
    if bool(controls or framework) == everything:
        raise ConfigError(
            "say what to pack: --control, --framework, --audit, --request, or --everything"
        )
    return replace(narrowing(controls, systems, kinds, since, until), framework=framework)


def narrowing(
    controls: Sequence[str] | None, systems: Sequence[str] | None, kinds: Sequence[str] | None,
    since: str, until: str,
) -> Wanted:  # fmt: skip
    """What the options leave of anything. Raises ConfigError."""
    try:
        begin, end = (day_or_time(text) if text else None for text in (since, until))
    except InvalidItem as error:
        raise ConfigError(
            f"--from and --to want a day, or a time with its zone: {error}"
        ) from error
    return Wanted(
        controls or (), systems=systems or (), kinds=kinds or (), begin=begin, end=end
    )  # fmt: skip


def refuse_beside(option: str, *others: object) -> None:
    """Raises ConfigError if another option says otherwise which items."""
    if any(others):
        raise ConfigError(
            f"{option} says which items: leave --everything, --framework, --audit and --request "
            "out beside it; --control, --system, --kind, --from and --to narrow it"
        )


@dataclass(frozen=True, slots=True)
class About:
    """A pack's scope, the controls and verdicts that fall into it, and one sentence of it all."""

    scope: pack.Scope
    controls: tuple[Control, ...]
    standings: tuple[ControlStanding, ...]
    verdicts: tuple[Verdict, ...]
    framework: str
    sentence: str


def about_of(judged: Judged, wanted: Wanted) -> About:
    """What was asked for, checked against what there was by then. Raises ConfigError."""
    if wanted.begin and wanted.end and wanted.begin >= wanted.end:
        raise ConfigError(f"--from {stamp(wanted.begin)} is not before --to {stamp(wanted.end)}")
    for system in wanted.systems:
        if system and system not in judged.systems:
            known = ", ".join(judged.systems) or "none"
            raise ConfigError(f"--system {system!r} is no system of that time; known: {known}")
    framework, chosen = _controls(judged, wanted)
    systems = tuple(sorted(set(wanted.systems))) if wanted.systems else None
    controls = tuple(c for c in judged.catalogue.controls if chosen is None or c.id in chosen)
    ids = None if chosen is None else tuple(control.id for control in controls)
    if wanted.items is not None:
        controls = ()  # they answer something else than where controls stand
    shown = Excerpt(systems)
    standings = tuple(standing_of(judged.standings[control.id], shown) for control in controls)
    verdicts = tuple(v for stands in standings for v in stands.verdicts)
    rests = sorted({one for v in verdicts for one in (v.item_id, *v.overridden) if one})
    scope = pack.Scope(
        judged.moment.size or 0, judged.at, ids, systems, tuple(sorted(set(wanted.kinds))),
        wanted.begin, wanted.end,
        None if wanted.items is None else tuple(sorted(set(wanted.items))), tuple(rests),
    )  # fmt: skip
    return About(
        scope, controls, standings, verdicts, framework, _sentence(scope, framework, wanted)
    )


def _controls(judged: Judged, wanted: Wanted) -> tuple[str, set[str] | None]:
    """The framework's id and the ids of the controls; None for all evidence, tagged or not."""
    if not wanted.framework:
        named = {control_named(judged, name).id for name in wanted.controls}
        return "", {str(one) for one in named} or None
    if wanted.controls:
        raise ConfigError("--framework says which controls: leave --control out")
    known = judged.moment.mapping.frameworks
    found = [name for name in known if name.startswith(wanted.framework)]
    if len(found) != 1:
        raise ConfigError(
            f"--framework {wanted.framework!r} names {len(found)}; known: {', '.join(known)}"
        )
    rows = known[found[0]].rows
    speaking = {str(row.control) for row in rows if (row.review or row).relation.value != "none"}
    return found[0], speaking


def control_named(judged: Judged, control: str) -> Control:
    """The control of this id or number. Raises ConfigError."""
    for known in judged.catalogue.controls:
        if control in (known.id, known.number):
            return known
    raise ConfigError(f"--control {control!r} is none of the catalogue's; write A.6.2.4, or 5.2")


def _sentence(scope: pack.Scope, framework: str, wanted: Wanted) -> str:
    """One line for people: what the pack is about."""
    named = "everything"
    if wanted.about:
        named = wanted.about
    elif scope.items is not None:
        named = f"{len(scope.items)} given items"
    elif framework:
        named = f"the {len(scope.controls or ())} controls that speak to {framework}"
    elif scope.controls:
        named = numbers(scope.controls)
    if scope.items is not None and scope.controls is not None:
        named += f", only what speaks to {numbers(scope.controls)}"
    if scope.systems is not None:
        named += f", of {', '.join(one or 'the organisation' for one in scope.systems)}"
    if scope.kinds:
        named += f", only {', '.join(scope.kinds)}"
    if scope.begin:
        named += f", from {stamp(scope.begin)}"
    return named + (f", until {stamp(scope.end)}" if scope.end else "")


def numbers(controls: Iterable[str]) -> str:
    """Controls for people, without their catalogue."""
    return ", ".join(one.partition(":")[2] for one in controls)
