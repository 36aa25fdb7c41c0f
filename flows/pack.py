"""Hand evidence to an auditor: one file of a scope, judged, proved and signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from dashboards.cut import standing_of
from evidence.canonical import canonical, plain
from evidence.errors import ConfigError, InvalidItem
from evidence.excerpt import Excerpt
from evidence.freshness import ControlStanding, Verdict
from evidence.times import day_or_time, stamp
from flows.config import Config, load, now
from flows.follow import leave_record
from flows.judgement import Judged, judge_lake, told_standing, told_verdict
from flows.moment import Asked, moment
from flows.pack_board import page
from flows.pack_missing import Missing, as_text, missing
from mappings.controls import Control
from mappings.oscal_results import assessment_results
from storage import pack
from storage.anchors import anchors_of
from storage.checkpoints import read_checkpoint
from storage.engine import Connection, ample
from storage.keys import Signer, load_key
from storage.lake import Lake
from storage.note import Checkpoint
from storage.pack_file import Folder, folder_for, verifier, write_pack
from storage.verify_pack import digest_of

README = """\
{about}
of {organisation}, as of {at}

This pack holds {items} items of evidence, the records of {pulls} pulls, {corrections} acts by which
people corrected items, and for each of them a proof that it is part of the sealed log of {sealed}
items. MISSING.md says what is not here, and why.

  items.jsonl            the rows; `payload` is the source's own record
  evidence.csv           the same for spreadsheets (a cell like a formula begins with ')
  evidence.parquet       the same for engines
  proofs.jsonl           for each row its place in the log, and the path to what is proved already
  checkpoint.note        the signed root of the log
  anchors.jsonl          earlier seals of it that a time authority stamped
  pulls.*                what was asked of each source, and what was answered
  tags.*                 why each item speaks to which control: the rule and its reason
  corrections.*          which items people said are wrong, who, why, and what stands of it
  disposals.*            what was disposed of by signed records
  verdicts.*             what was asked for, of whom, and how fresh it was
  verdict_history.*      how that changed in the time of this pack, as it was judged then
  standings.*            where each control ends
  mapping.json           catalogue, rules and exceptions by which all of this was judged
  assessment_results.json  the same judgement as OSCAL {oscal}
  board.html             the board as of that moment, for a browser (none of kinds, or of requests)
  MISSING.md, missing.json   what is missing, and why
  manifest.json          what is in the pack and what was left out (an in-toto statement)
  manifest.dsse          the same, signed (DSSE)
  vkey.txt               the public key of the log

Check it yourself; only Python and its library `cryptography` are needed:

  python verify_pack.py THIS_FILE.zip --key VKEY

Do not take VKEY from vkey.txt alone, nor verify_pack.py from this pack alone: ask the organisation
for the key by another way, or compare it with one from an earlier audit, and take the program from
Headwater's own source. A forged pack would hold a forged key.

A proof shows that an item has not changed since it was sealed, not that it was true, and not that
nothing else belongs here. Times are UTC. `manifest.json` counts what was left out.
"""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a pack is asked for. None or empty: no limit; a `framework` stands for all controls
    that speak to it. `items` are ids; `about`, `extra` (file name → rows) and `lacks` say what they
    answer, and what not."""

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


def wanted_of(
    controls: Sequence[str] | None, framework: str, systems: Sequence[str] | None,
    kinds: Sequence[str] | None, since: str, until: str, *, everything: bool,
) -> Wanted:  # fmt: skip
    """What the options ask for. Raises ConfigError."""
    if bool(controls or framework) == everything:
        raise ConfigError("say what to pack: --control, --framework, or --everything")
    try:
        begin, end = (day_or_time(text) if text else None for text in (since, until))
    except InvalidItem as error:
        raise ConfigError(
            f"--from and --to want a day, or a time with its zone: {error}"
        ) from error
    return Wanted(controls or (), framework, systems or (), kinds or (), begin, end)


def write(file: Path, wanted: Wanted, output: Path, asked: Asked | None, say: Say) -> int:
    """Write a pack to a new file, whole or not at all; 0 when done. Raises ConfigError, LakeError.

    Without a moment, as of the last seal. That it was handed out lands as an act.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    signer = load_key(config.key, origin=config.origin)
    judged = judge_lake(lake, moment(lake, config, asked or Asked(size=read_checkpoint(lake).size)))
    about = _about(judged, wanted)
    if not about.scope.size:
        raise ConfigError("nothing had been sealed by then: there is nothing that can be proved")
    with folder_for(output) as folder:
        told = _Filling(lake, config, judged, about, signer, folder).all(wanted)
        written = write_pack(output, folder, told, signer)
    counts = told["counts"]
    said = f"{counts['item']} items, {counts['pull']} pull records"
    if counts["correction"]:
        said += f", {counts['correction']} acts of correction"
    say(f"written {output}: {said}")
    say(f"shown   {judged.moment.sentence(judged.digest)}")
    say(f"sha256  {written}")
    for what, number in told["left_out"].items():
        if number:
            say(f"left out: {number} {what.replace('_', ' ')}")
    if told["missing"]:
        say(f"missing: {told['missing']} entries in MISSING.md")
    for note in judged.notes:
        say(f"note    {note}")
    facts = {"scope": told["scope"], "counts": counts, "pack_sha256": written}
    facts |= {"population": told["population"]}
    if unkept := leave_record(lake, config, "pack", facts=facts, title=f"pack: {about.sentence}"):
        say(f"note    {unkept}")
    return 0


@dataclass(frozen=True, slots=True)
class About:
    """A pack's scope, the controls and verdicts that fall into it, and one sentence of it all."""

    scope: pack.Scope
    controls: tuple[Control, ...]
    standings: tuple[ControlStanding, ...]
    verdicts: tuple[Verdict, ...]
    framework: str
    sentence: str


def _about(judged: Judged, wanted: Wanted) -> About:
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
    if wanted.items is not None:
        controls = ()  # they answer something else than where controls stand
    shown = Excerpt(systems)
    standings = tuple(standing_of(judged.standings[control.id], shown) for control in controls)
    verdicts = tuple(v for stands in standings for v in stands.verdicts)
    rests = sorted({one for v in verdicts for one in (v.item_id, *v.overridden) if one})
    ids = None if chosen is None else tuple(control.id for control in controls)
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
        named = {_control(judged, name).id for name in wanted.controls}
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


def _control(judged: Judged, control: str) -> Control:
    for known in judged.catalogue.controls:
        if control in (known.id, known.number):
            return known
    raise ConfigError(f"--control {control!r} is none of the catalogue's; write A.6.2.4, or 5.2")


def _sentence(scope: pack.Scope, framework: str, wanted: Wanted) -> str:
    """One line for people: what the pack is about."""
    named = "everything"
    if wanted.about:
        named = wanted.about
    elif framework:
        named = f"the {len(scope.controls or ())} controls that speak to {framework}"
    elif scope.controls:
        named = ", ".join(one.partition(":")[2] for one in scope.controls)
    if scope.systems is not None:
        named += f", of {', '.join(one or 'the organisation' for one in scope.systems)}"
    if scope.kinds:
        named += f", only {', '.join(scope.kinds)}"
    if scope.begin:
        named += f", from {stamp(scope.begin)}"
    return named + (f", until {stamp(scope.end)}" if scope.end else "")


@dataclass(frozen=True, slots=True)
class _Filling:
    """Fills a pack's folder."""

    lake: Lake
    config: Config
    judged: Judged
    about: About
    signer: Signer
    folder: Folder

    def all(self, wanted: Wanted) -> dict[str, Any]:
        """Every file but the manifest; what the manifest says. Raises LakeError."""
        scope, mapping = self.about.scope, self.judged.moment.mapping
        head = pack.checkpoint_for(self.lake, scope.size)
        with self.judged.moment.connect(self.lake, ample()) as connection:
            found = pack.select(connection, scope, mapping.digest)
            self._items(connection, head, found)
            left = pack.left_out(connection, scope)
            lacks = [*wanted.lacks, *self._told(connection, left)]
            predicate = self._predicate(head) | {
                "counts": dict(found.counts), "left_out": left,
                "population": digest_of(pack.population(connection)), "missing": len(lacks),
            }  # fmt: skip
            predicate["mapping"]["sealed"] = pack.mapping_sealed(connection, mapping.digest)
            if board := page(self.lake, self.config, self.judged, scope):
                self._put("board.html", board)
        self._whole_files(head, found, lacks)
        for name, rows in wanted.extra:
            self.folder.put_table(name, rows)
        return predicate

    def _items(self, connection: Connection, head: Checkpoint, found: pack.Selected) -> None:
        steps = pack.steps(connection, self.lake, head, found)
        with _bar(found.total) as advance:
            for number in self.folder.put_steps(steps):
                advance(number)
        self.folder.put_lines("tags", pack.tags_in(connection, found))
        self.folder.put_lines("pulls", map(plain, pack.pulls_in(connection)))

    def _told(self, connection: Connection, left: Mapping[str, int]) -> list[Missing]:
        about = self.about
        history = pack.verdict_history(connection, about.scope)
        self.folder.put_table("corrections", pack.corrections_in(connection))
        self.folder.put_table("disposals", pack.disposals_in(connection))
        self.folder.put_table("verdict_history", history)
        self.folder.put_table("verdicts", [told_verdict(verdict) for verdict in about.verdicts])
        self.folder.put_table("standings", [told_standing(one) for one in about.standings])
        return list(
            missing(connection, about.scope, about.standings, about.verdicts, history, left)
        )

    def _whole_files(
        self, head: Checkpoint, found: pack.Selected, lacks: Sequence[Missing]
    ) -> None:
        about, judged = self.about, self.judged
        pairs = list(zip(about.controls, about.standings, strict=True))
        results = assessment_results(pairs, judged.at, judged.digest, about.scope.begin)
        text = README.format(
            about=f"Evidence for {about.sentence}", organisation=self.config.organisation,
            at=stamp(judged.at), items=found.counts["item"], pulls=found.counts["pull"],
            corrections=found.counts["correction"], sealed=head.size, oscal="assessment results",
        )  # fmt: skip
        self._put("README.txt", text)
        self._put("MISSING.md", as_text(lacks, about.sentence, judged.at))
        self._put("missing.json", canonical([one.told() for one in lacks]).decode())
        self._put("assessment_results.json", canonical(plain(results)).decode())
        self._put("checkpoint.note", head.text)
        self._put("mapping.json", canonical(judged.moment.mapping.document).decode())
        self._put("vkey.txt", f"{self.signer.vkey}\n")
        self.folder.put("verify_pack.py", verifier())
        lines = (canonical(one) + b"\n" for one in anchors_of(self.lake, head))
        self.folder.put("anchors.jsonl", b"".join(lines))

    def _put(self, name: str, text: str) -> None:
        self.folder.put(name, text.encode())

    def _predicate(self, head: Checkpoint) -> dict[str, Any]:
        mapping, about = self.judged.moment.mapping, self.about
        return {
            "organisation": self.config.organisation,
            "about": about.sentence,
            "scope": about.scope.told() | {"framework": about.framework or None},
            "checkpoint": {"origin": head.origin, "size": head.size, "root": head.root.hex()},
            "mapping": {"digest": mapping.digest, "rules": mapping.rules.digest},
            "result": self.judged.digest,
            "notes": list(self.judged.notes),
        }


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(console=console, transient=True) as shown:
        task = shown.add_task("rows with their proofs", total=total)
        yield lambda number: shown.advance(task, number)
