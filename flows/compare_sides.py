"""What is compared: a judged moment of the lake, or a pack, once it is checked."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evidence.errors import ConfigError, LakeError
from evidence.freshness import ControlStanding, Standing, State, Verdict
from evidence.model import ControlId
from evidence.times import parse
from flows.compare import items_between
from flows.compare_mapping import decided
from flows.config import Config, load, now
from flows.judgement import Judged, judge_lake
from flows.keys import public_key, public_key_of
from flows.moment import Moment, answered, parse_as_of
from mappings.in_force import read_document
from storage import verify_pack
from storage.lake import Lake
from storage.pages import all_rows


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared. Of a pack also its scope, and id → row of its items."""

    judged: Judged
    token: str
    sentence: str
    scope: Mapping[str, Any] | None = None
    items: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def is_pack(text: str) -> bool:
    """Whether it names a pack: no moment ends so."""
    return text.endswith(".zip")


def sides(file: Path, first: str, second: str, key: str) -> tuple[Side, Side, Lake | None]:
    """Both sides, and the lake if one of them is a moment of it (the second empty: now).

    Two packs need no configuration where `key` says whose they are. Raises ConfigError, LakeError.
    """
    packs = is_pack(first) and is_pack(second)
    config = None if packs and key else load(file)
    lake = Lake.open(config.lake, clock=now) if config is not None and not packs else None
    vkey = public_key(key) if key else public_key_of(config) if config is not None else ""
    made = []
    for text in (first, second):
        if is_pack(text):
            made.append(packed(Path(text), vkey))
        elif config is not None and lake is not None:
            made.append(_judged(config, lake, text))
    before, after = made
    if before.judged.at > after.judged.at:
        raise ConfigError("the first moment is later than the second: give the earlier one first")
    return *_common(before, after), lake


def _judged(config: Config, lake: Lake, text: str) -> Side:
    judged = judge_lake(lake, answered(lake, config, parse_as_of(text)))
    return Side(judged, judged.moment.token, judged.moment.sentence(judged.digest))


def packed(path: Path, vkey: str) -> Side:
    """A pack that holds, to the last row. Raises LakeError saying why it does not."""
    if not path.is_file():
        raise ConfigError(f"{path} is not there")
    try:
        pack = verify_pack.Pack(path, verify_pack.Key(vkey))
        pack.check_items()
    except (verify_pack.Wrong, verify_pack.Missing) as error:
        raise LakeError(f"{path.name}: {verify_pack.shown(str(error))}") from error
    told = pack.manifest
    scope = told["scope"]
    rows = (line for line in pack.lines("items.jsonl") if line["role"] == "item")
    items = {line["row"]["item_id"]: _kept(line) for line in rows}
    mapping = read_document(pack.text("mapping.json"))
    at = parse(scope["at"])
    shown = Moment(at, mapping, scope["size"], -1, notes=tuple(told["notes"]))
    names = sorted({row["system"] for row in items.values() if row["system"]})
    judged = Judged(shown, {name: {} for name in names}, {}, _standings(pack))
    token = f"{scope['at']}@{scope['size']}"
    sentence = f"{path.name}: {told['about']} · as of {token} · result {told['result']}"
    return Side(judged, token, sentence, scope, items)


def _standings(pack: verify_pack.Pack) -> dict[ControlId, ControlStanding]:
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    for row in verify_pack.read_json(pack.whole("verdicts.json"), "verdicts.json"):
        verdicts[row["control"]].append(_verdict(row))
    rows = verify_pack.read_json(pack.whole("standings.json"), "standings.json")
    return {
        ControlId(row["control"]): ControlStanding(
            ControlId(row["control"]), Standing(row["standing"]), row["why"], row["in_date"],
            row["expected"], row["due"], tuple(verdicts[row["control"]]),
        )
        for row in rows
    }  # fmt: skip


def _verdict(row: Mapping[str, Any]) -> Verdict:
    return Verdict(
        ControlId(row["control"]), row["evidence"], row["system"], State(row["state"]),
        row["failed"], row["why"], parse(row["judged_at"]), item_id=row["item_id"],
    )  # fmt: skip


def _kept(line: Mapping[str, Any]) -> dict[str, Any]:
    """What is compared of an item: its payload may be large."""
    names = ("source", "kind", "system", "change", "outcome")
    return {name: line["row"][name] for name in names} | {"leaf": line["leaf_index"]}


def _common(before: Side, after: Side) -> tuple[Side, Side]:
    """Both cut to the controls and systems that both speak of, with a note of what is not."""
    if before.scope is None and after.scope is None:
        return before, after
    ours, theirs = (set(one.judged.standings) for one in (before, after))
    systems = _systems(before.scope, after.scope)
    notes = []
    if alone := len(ours ^ theirs):
        notes.append(f"{alone} controls are in the scope of one side only: they are not compared")
    if systems is not None:
        notes.append(f"compared of AI systems: {', '.join(sorted(systems)) or 'none'}")
    return _cut(before, ours & theirs, systems, notes), _cut(after, ours & theirs, systems, notes)


def _systems(*scopes: Mapping[str, Any] | None) -> set[str] | None:
    """The systems that all scopes speak of; None where none of them is limited to some."""
    given = [
        set(one["systems"]) for one in scopes if one is not None and one["systems"] is not None
    ]
    return set.intersection(*given) if given else None


def _cut(
    side: Side, controls: set[ControlId], systems: set[str] | None, notes: Sequence[str]
) -> Side:
    judged = side.judged

    def kept(stands: ControlStanding) -> ControlStanding:
        among = (v for v in stands.verdicts if systems is None or v.system in systems)
        return replace(stands, verdicts=tuple(among))

    standings = {c: kept(stands) for c, stands in judged.standings.items() if c in controls}
    named = {n: row for n, row in judged.systems.items() if systems is None or n in systems}
    shown = replace(judged.moment, notes=(*judged.moment.notes, *notes))
    cut = Judged(shown, named, judged.soa, standings)
    return replace(side, judged=cut)


def landed_since(lake: Lake | None, before: Side, after: Side) -> list[dict[str, Any]]:
    """By source and kind, what the second side holds that was sealed after the first."""
    if after.scope is None and lake is not None:
        return items_between(lake, before.judged, after.judged)
    size = before.judged.moment.size or 0
    groups: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in after.items.values():
        if row["leaf"] >= size:
            one = groups[row["source"], row["kind"]]
            one.update(["landed", row["change"]])
            one["failing"] += row["outcome"] in {"failed", "error"}
    return [
        {"source": source, "kind": kind, "landed": n["landed"], "of_them_changed": n["changed"],
         "of_them_gone": n["gone"], "of_them_failing": n["failing"]}
        for (source, kind), n in sorted(groups.items())
    ]  # fmt: skip


def decided_since(lake: Lake | None, before: Side, after: Side) -> tuple[str, ...]:
    """What people decided in between, where both sides are moments of a lake."""
    if lake is None or before.scope is not None or after.scope is not None:
        return ()
    return decided(lake, before.judged, after.judged)


def lost(lake: Lake | None, before: Side, after: Side) -> Iterator[str]:
    """What the first pack holds and the second side does not, though it is sealed by then."""
    ids = set(before.items)
    if after.scope is not None:
        gone = ids - set(after.items)
        why = "their scopes differ" if before.scope != after.scope else "ask where they are"
    elif lake is not None and ids:
        with after.judged.moment.connect(lake) as connection:
            sql = "SELECT item_id FROM evidence WHERE item_id IN (SELECT unnest($ids::VARCHAR[]))"
            held = {row["item_id"] for row in all_rows(connection, sql, {"ids": sorted(ids)})}
        gone, why = ids - held, "`headwater verify` tells whether records of disposal took them"
    else:
        return
    if gone:
        told = f"{len(gone)} items of the first are not in the second"
        yield f"{told}, such as {min(gone)[:16]}: {why}"
