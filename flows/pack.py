"""Hand evidence to an auditor: one file of a scope, judged, proved and signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress

from evidence.canonical import canonical, plain
from evidence.errors import ConfigError
from evidence.times import stamp
from flows.config import Config, load, now
from flows.follow import leave_record
from flows.judgement import Judged, judge_lake, told_standing, told_verdict
from flows.moment import Asked, moment
from flows.pack_about import About, Wanted, about_of
from flows.pack_board import page
from flows.pack_missing import Missing, as_text, missing
from flows.terminal import Screen
from mappings.oscal_results import assessment_results
from storage import pack, pack_told
from storage.anchors import anchors_of
from storage.checkpoints import checkpoint_for, read_checkpoint
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
  requests.*, answers.*  what was asked for, and all rows of the answers (a pack of requests)
  audit.*, criteria.*, findings.*, earlier_findings.*, samples.*   its records (a pack of an audit)
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


def write(file: Path, wanted: Wanted, output: Path, asked: Asked | None, say: Say) -> int:
    """Write a pack to a new file, whole or not at all; 0 when done. Raises ConfigError, LakeError.

    Without a moment, as of the last seal. That it was handed out lands as an act.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    signer = load_key(config.key, origin=config.origin)
    judged = judge_lake(lake, moment(lake, config, asked or Asked(size=read_checkpoint(lake).size)))
    about = about_of(judged, wanted)
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
        head = checkpoint_for(self.lake, scope.size)
        with self.judged.moment.connect(self.lake, ample()) as connection:
            found = pack.select(connection, scope, mapping.digest)
            self._items(connection, head, found)
            if wanted.cut:
                wanted = wanted.cut(pack.item_ids(connection))
            narrowed = (wanted.narrowed or {}).get("controls", ())
            left = pack_told.left_out(connection, scope, narrowed)
            lacks = [*wanted.lacks, *self._told(connection, left)]
            predicate = self._predicate(head) | {
                "counts": dict(found.counts), "left_out": left,
                "population": digest_of(pack.population(connection)), "missing": len(lacks),
            }  # fmt: skip
            predicate |= {"narrowed": dict(wanted.narrowed)} if wanted.narrowed else {}
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
        self.folder.put_lines("tags", pack_told.tags_in(connection, found))
        self.folder.put_lines("pulls", map(plain, pack_told.pulls_in(connection)))

    def _told(self, connection: Connection, left: Mapping[str, int]) -> list[Missing]:
        about = self.about
        history = pack_told.verdict_history(connection, about.scope)
        self.folder.put_table("corrections", pack_told.corrections_in(connection))
        self.folder.put_table("disposals", pack_told.disposals_in(connection))
        self.folder.put_table("verdict_history", history)
        self.folder.put_table("verdicts", [told_verdict(verdict) for verdict in about.verdicts])
        self.folder.put_table("standings", [told_standing(one) for one in about.standings])
        stand = (about.standings, about.verdicts, self.judged.overrides)
        return list(missing(connection, about.scope, *stand, history, left))

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
    console = Screen(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(console=console, transient=True) as shown:
        task = shown.add_task("rows with their proofs", total=total)
        yield lambda number: shown.advance(task, number)
