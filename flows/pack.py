"""Hand a control's evidence to an auditor: one file, judged, proved and signed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dashboards.text import tame
from evidence.canonical import canonical
from evidence.errors import ConfigError
from evidence.freshness import ControlStanding
from evidence.times import stamp
from flows.config import Config, load, now
from flows.follow import leave_record
from flows.judgement import Judged, judge_lake, told_standing, told_verdict
from flows.moment import Asked, moment
from mappings.controls import Control
from storage import pack
from storage.checkpoints import read_checkpoint
from storage.keys import Signer, load_key
from storage.lake import Lake
from storage.note import Checkpoint

README = """\
Evidence for {control} {title}
of {organisation}, as of {at}

This pack holds {items} items of evidence{about}, the records of the {pulls} pulls that brought
them, the {corrections} acts by which people corrected some of them, and for each of them a proof
that it is part of the sealed log of {sealed} items.

  items.jsonl       the rows; `payload` is the source's own record
  proofs.jsonl      for each row its place in the log and the path to the log's root
  checkpoint.note   the signed root of the log
  tags.*            why each item speaks to this control: the rule and its reason
  corrections.*     which items people said are wrong, who, why, and what stands of it
  verdicts.*        what was asked for, of whom, and how fresh it was
  standings.*       where the control ends
  mapping.json      catalogue, rules and exceptions by which all of this was judged
  manifest.json     what is in the pack and what was left out, signed in manifest.note
  vkey.txt          the public key of the log

Check it yourself; only Python and its library `cryptography` are needed:

  python verify_pack.py THIS_FILE.zip --key VKEY

Do not take VKEY from vkey.txt alone, nor verify_pack.py from this pack alone: ask the organisation
for the key by another way, or compare it with one from an earlier audit, and take the program from
Headwater's own source. A forged pack would hold a forged key.

A proof shows that an item has not changed since it was sealed, not that it was true, and not that
nothing else speaks to this control. Times are UTC. `manifest.json` counts what was left out.
"""
Say = Callable[[str], None]


def write(
    file: Path, control: str, output: Path, asked: Asked | None, say: Say, *,
    system: str | None = None, kinds: Sequence[str] = (),
) -> int:  # fmt: skip
    """Write the pack of a control to a new file; 0 when done. Raises ConfigError, LakeError.

    Without a moment, as of the last seal. That it was handed out lands as an act.
    """
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    signer = load_key(config.key, origin=config.origin)
    judged = judge_lake(lake, moment(lake, config, asked or Asked(size=read_checkpoint(lake).size)))
    found = _control(judged, control)
    if system is not None and system and system not in judged.systems:
        known = ", ".join(judged.systems) or "none"
        raise ConfigError(f"--system {system!r} is no system of that time; known: {known}")
    size = judged.moment.size
    if not size:
        raise ConfigError("nothing had been sealed by then: there is nothing that can be proved")
    scope = pack.Scope(found.id, size, judged.at, system, tuple(sorted(set(kinds))))
    files, manifest = _contents(lake, config, judged, found, scope, signer)
    written = pack.write_pack(output, files, manifest, signer)
    counts = manifest["counts"]
    said = f"{counts['item']} items, {counts['pull']} pull records"
    if counts["correction"]:
        said += f", {counts['correction']} acts of correction"
    say(f"written {output}: {said}")
    say(f"shown   {judged.moment.sentence(judged.digest)}")
    say(f"sha256  {written}")
    for what, number in manifest["left_out"].items():
        if number:
            say(f"left out: {number} {what.replace('_', ' ')}")
    for note in judged.notes:
        say(f"note    {note}")
    facts = {"scope": manifest["scope"], "counts": counts, "pack_sha256": written}
    facts |= {"population": manifest["population"]}
    title = f"pack: {found.id} handed out"
    if unkept := leave_record(lake, config, "pack", facts=facts, title=title):
        say(f"note    {unkept}")
    return 0


def _control(judged: Judged, control: str) -> Control:
    for known in judged.catalogue.controls:
        if control in (known.id, known.number):
            return known
    raise ConfigError(f"--control {control!r} is none of the catalogue's; write A.6.2.4, or 5.2")


def _contents(
    lake: Lake, config: Config, judged: Judged, control: Control, scope: pack.Scope, signer: Signer
) -> tuple[dict[str, bytes], dict[str, Any]]:
    mapping = judged.moment.mapping
    with judged.moment.connect(lake) as connection:
        rows = pack.rows_in(connection, scope, mapping.digest)
        tags, left = pack.tags_in(connection, rows), pack.left_out(connection, scope)
        corrections = pack.corrections_in(connection, rows)
    head = pack.checkpoint_for(lake, scope.size)
    counts = {role: len(ids) for role, ids in rows.ids.items()}
    manifest = _manifest(config, judged, scope, head) | {
        "counts": counts, "left_out": left, "population": pack.population(rows),
    }  # fmt: skip
    standing = judged.standings[control.id]
    about = "" if scope.system is None else f" about {scope.system or 'the organisation'}"
    readme = README.format(
        control=control.id, title=control.title, organisation=config.organisation,
        at=stamp(scope.at), items=counts["item"], pulls=counts["pull"], sealed=head.size,
        about=about, corrections=counts["correction"],
    )  # fmt: skip
    files = {
        "README.txt": readme.encode(),
        "checkpoint.note": head.text.encode(),
        "items.jsonl": rows.lines,
        "mapping.json": canonical(mapping.document),
        "proofs.jsonl": pack.proof_lines(lake, head, rows),
        "verify_pack.py": pack.verifier(),
        "vkey.txt": f"{signer.vkey}\n".encode(),
        **_both("tags", tags),
        **_both("corrections", corrections),
        **_both("verdicts", _verdicts(standing, scope)),
        **_both("standings", [told_standing(standing)]),
    }
    return files, manifest


def _manifest(
    config: Config, judged: Judged, scope: pack.Scope, head: Checkpoint
) -> dict[str, Any]:
    mapping = judged.moment.mapping
    return {
        "organisation": config.organisation,
        "scope": {
            "control": scope.control, "system": scope.system, "kinds": list(scope.kinds),
            "at": stamp(scope.at), "size": scope.size,
        },
        "checkpoint": {"origin": head.origin, "size": head.size, "root": head.root.hex()},
        "mapping": {"digest": mapping.digest, "rules": mapping.rules.digest},
        "result": judged.digest,
        "notes": list(judged.notes),
    }  # fmt: skip


def _verdicts(standing: ControlStanding, scope: pack.Scope) -> list[dict[str, Any]]:
    of_scope = (v for v in standing.verdicts if scope.system in (None, v.system))
    return [told_verdict(verdict) for verdict in of_scope]


def _both(name: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    return {f"{name}.json": canonical(list(rows)), f"{name}.csv": _csv(rows).encode()}


def _csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """For spreadsheets: no cell begins like a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(list(row))
        writer.writerow(["" if value is None else tame(str(value)) for value in row.values()])
    return out.getvalue()
