"""Freeze a moment for an audit period, list the freezes with what still holds, let go of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path

from rich.markup import escape

from evidence.canonical import digest
from evidence.errors import ConfigError, InvalidItem, LakeError, VerificationFailed
from evidence.freshness import Expectation
from evidence.times import parse, stamp
from flows.config import Config, load, now
from flows.follow import follow
from flows.hold import land_act, lift, open_lake
from flows.judgement import judge_lake
from flows.keys import public_key_of
from flows.moment import Asked, moment
from flows.terminal import Screen, Table
from mappings.in_force import InForce
from storage.checkpoints import checkpoint_for, read_checkpoint
from storage.code import code_version
from storage.disposed import absent
from storage.freezes import Freeze, Frozen, counted, freeze_facts, freezes
from storage.holds import FREEZE, Hold
from storage.keys import load_key
from storage.lake import Lake
from storage.note import VerifierKey
from storage.views import connect


@dataclass(frozen=True, slots=True)
class Compared:
    """A freeze beside what the lake says today of the same items: what differs, if anything.

    `grave` where the same code gives another answer over the same items and mapping, or the note
    does not hold: that cannot come from a disposal or an upgrade.
    """

    freeze: Freeze
    differs: tuple[str, ...]
    grave: bool = False


def set_freeze(file: Path, name: str, by: str, why: str, asked: Asked | None, until: str) -> int:
    """Judge a sealed moment, sign what came out, land and seal it; 0.

    Raises ConfigError, LakeError.
    """
    config = load(file)
    lake = open_lake(config)
    follow(lake, config)
    signer = load_key(config.key, origin=config.origin)
    if lake.redactor.reveals(by) or lake.redactor.reveals(why):
        raise LakeError("by or why holds a secret; a freeze may not: say it again")
    made: list[Frozen] = []

    def facts(holds: Mapping[str, Hold]) -> dict[str, object]:
        if any(known.name == name for known in holds.values()):
            raise ConfigError(f"a hold {name!r} is in force: choose another name")
        with connect(lake) as connection:
            if name in freezes(connection):
                raise ConfigError(f"there is a freeze {name!r} already: choose a new name")
        made[:] = [freeze_of(lake, config, asked)]
        try:
            end = parse(until) if until else None
            hold = Hold(name, by, now(), why, until=end, first=made[0].size)
        except (ValueError, InvalidItem) as error:
            raise ConfigError(f"freeze {name!r}: {error}") from error
        return freeze_facts(hold, made[0], signer)

    land_act(lake, config, FREEZE, by, facts)
    console = Screen(highlight=False)
    console.print(f"freeze {escape(name)} is signed and sealed: as of {_token(made[0])}, "
                  f"{made[0].size} items, result {made[0].result}", soft_wrap=True)  # fmt: skip
    console.print("None of these items is disposed of until somebody releases it: headwater freeze "
                  f"release {escape(name)} --by NAME --why TEXT", soft_wrap=True)  # fmt: skip
    return 0


def freeze_of(lake: Lake, config: Config, asked: Asked | None) -> Frozen:
    """What is fixed of the moment asked for (None: the last seal).

    Raises ConfigError, LakeError.
    """
    judged = judge_lake(lake, moment(lake, config, asked or Asked(size=read_checkpoint(lake).size)))
    size = judged.moment.size
    if not size:
        raise ConfigError("nothing had been sealed by then: there is nothing to freeze")
    head, mapping = checkpoint_for(lake, size), judged.moment.mapping
    with judged.moment.connect(lake) as connection:
        counts, gone = counted(connection), sum(absent(connection, size))
    return Frozen(
        at=judged.at, size=size, sealed=head.size, root=head.root.hex(), mapping=mapping.digest,
        expectations=digest(_expected(mapping)), counts=counts, absent=gone,
        result=judged.digest, code=code_version(),
    )  # fmt: skip


_LATER = {"deadline", "special"}


def _expected(mapping: InForce) -> list[dict[str, object]]:
    """What the mapping asks for, as JSON-like values."""
    return [_row(one) for one in mapping.catalogue.expectations(mapping.overrides)]


def _row(one: Expectation) -> dict[str, object]:
    """What came after the first freezes is there only where it is given."""
    values = {f.name: _plain(getattr(one, f.name)) for f in fields(one) if f.name not in _LATER}
    later = {
        "deadline": str(one.deadline or ""),
        "special": [
            [o.system, o.risk_class, o.expectation and _row(o.expectation)] for o in one.special
        ],
    }  # fmt: skip
    return values | {name: value for name, value in later.items() if value}


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return list(value) if isinstance(value, tuple) else str(value)


def show(file: Path) -> int:
    """Print every freeze and whether the lake still says the same; 3 if one does not, else 0."""
    config = load(file)
    lake, at = open_lake(config), now()
    found = list(compare_all(lake, config, VerifierKey.parse(public_key_of(config))))
    console = Screen(highlight=False)
    if not found:
        console.print("Nothing was frozen.")
        return 0
    table = Table("freeze", "by", "as of", "items", "keeps its items", "still the same", "why")
    for one in found:
        hold = one.freeze.hold
        table.add_row(
            escape(hold.name), escape(hold.by), one.freeze.frozen.at.date().isoformat(),
            str(one.freeze.frozen.size), escape(_kept(one.freeze, at)),
            "NO" if one.differs else "yes", escape(hold.reason),
            style="yellow" if one.differs else "",
        )  # fmt: skip
    console.print(table)
    for one in found:
        for told in one.differs:
            console.print(f"[bold]{escape(one.freeze.hold.name)}[/] {escape(told)}", soft_wrap=True)
    return 3 if any(one.differs for one in found) else 0


def release(file: Path, name: str, by: str, why: str) -> int:
    """Let go of the items of a freeze; what it fixed stays and is still compared."""
    lift(file, FREEZE, name, by, why)
    Screen(highlight=False).print(
        f"freeze {escape(name)} keeps its items no more; that is sealed. What it fixed stays."
    )
    return 0


def compare_all(lake: Lake, config: Config, key: VerifierKey) -> Iterator[Compared]:
    """Each freeze, compared with what the lake says today. Raises LakeError, MappingError."""
    with connect(lake) as connection:
        found = freezes(connection)
    for freeze in found.values():
        yield compare(lake, config, key, freeze)


def compare(lake: Lake, config: Config, key: VerifierKey, freeze: Freeze) -> Compared:
    """Judge the frozen moment again and say what differs. Raises LakeError, MappingError."""
    try:
        freeze.check(key)
    except VerificationFailed as error:
        return Compared(freeze, error.findings, grave=True)
    judged = judge_lake(lake, moment(lake, config, Asked(freeze=freeze.hold.name)))
    differs = judged.differs
    if digest(_expected(judged.moment.mapping)) != freeze.frozen.expectations:
        told = freeze.told("the same mapping asks for other evidence by this version of the code")
        differs = (*differs, told)
    same = not judged.moment.differs and freeze.frozen.code == code_version()
    return Compared(freeze, differs, grave=bool(differs) and same)


def _token(frozen: Frozen) -> str:
    return f"{stamp(frozen.at)}@{frozen.size}"


def _kept(freeze: Freeze, at: datetime) -> str:
    if freeze.released:
        return f"released: {freeze.released}"
    if not freeze.in_force(at):
        return "ended"
    return f"until {freeze.hold.until.date()}" if freeze.hold.until else "until it is released"
