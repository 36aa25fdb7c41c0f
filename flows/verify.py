"""Verify the lake against what was signed, say what was checked, and keep that it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate

from evidence.errors import ConfigError, LakeError, VerificationFailed
from evidence.model import Outcome
from flows.board_counting import counted_otherwise
from flows.config import Config, load, now
from flows.follow import leave_record
from flows.freeze import compare_all
from flows.judgement import kept_differs
from flows.keys import public_key, public_key_of
from flows.moment import present
from flows.outside import witnesses
from storage.freezes import freezes
from storage.lake import Lake
from storage.note import VerifierKey
from storage.place import Place, place_of
from storage.timestamps import load_roots
from storage.verify import Verified, verify
from storage.views import connect
from storage.witness import Kept, Witness

KEPT = 20
"""Of the findings, in the record of a failed verification; their number is always kept."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is verified, by which public key, against whose word.

    With `config` how it ends lands in the lake, and what was frozen is judged again. An auditor's
    own look leaves the lake untouched.
    """

    lake: Place
    vkey: str
    witnesses: tuple[Witness, ...] = ()
    roots: tuple[Certificate, ...] | None = None
    config: Config | None = None


def run(
    file: Path, say: Callable[[str], None], *, lake: str | None = None, key: str = "",
    checkpoints: Sequence[Path] = (), roots: Path | None = None, processes: int = 1,
) -> int:  # fmt: skip
    """0 when everything is as it was signed. Raises VerificationFailed naming each difference.

    With `lake` no configuration is read and nothing is written; else how it ended lands in the
    lake, if it can be written: also, and above all, a failure. The private key is never needed.
    So many `processes` share the reading of a large lake.
    """
    asked = _configured(file, key, roots) if lake is None else _bare(lake, key, roots)
    kept = [_note(path) for path in checkpoints]
    try:
        found = verify(
            asked.lake,
            asked.vkey,
            witnesses=asked.witnesses,
            kept=kept,
            roots=asked.roots,
            now=now(),
            processes=processes,
        )
        _compare_kept(asked)
        found = replace(found, notes=(*found.notes, *_frozen(asked)))
    except VerificationFailed as failed:
        _prove(failed.notes, say)
        count = len(failed.findings)
        facts = {"findings": count, "first": failed.findings[:KEPT]}
        _record(asked, say, Outcome.FAILED, facts, f"verify: {count} differences")
        raise
    _tell(found, say)
    facts = {"size": found.size, "root": found.root.hex(), "rows": found.items}
    facts |= {"outside": found.outside, "notes": found.notes}
    _record(asked, say, Outcome.PASSED, facts, f"verify: {found.size} items as they were sealed")
    return 0


def _bare(lake: str, key: str, roots: Path | None) -> Asked:
    if not key:
        raise ConfigError("--lake needs --key: the ledger's public key, or the file that holds it")
    place = place_of(lake)
    if place.read("lake.json") is None:
        raise ConfigError(f"--lake {lake}: there is no lake in this folder")
    return Asked(place, public_key(key), roots=None if roots is None else load_roots(roots))


def _configured(file: Path, key: str, roots: Path | None) -> Asked:
    config = load(file)
    trusted = roots or (config.anchor.roots if config.anchor else None)
    return Asked(
        config.lake, public_key_of(config, key), witnesses(config),
        None if trusted is None else load_roots(trusted), config,
    )  # fmt: skip


def _note(path: Path) -> Kept:
    try:
        return Kept(f"the note {path}", f"the note {path}", path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--checkpoint {path} cannot be read: {error}") from error


def _tell(found: Verified, say: Callable[[str], None]) -> None:
    say(f"sealed  {found.size} items under {found.origin}, root {found.root.hex()}")
    say("ok      every payload, id and leaf recomputed; they are as the lake's seal says")
    if found.outside:
        say(f"ok      {found.outside} checkpoints kept outside the lake all begin this log")
    else:
        say("note    no checkpoint from outside the lake was compared: who holds the key could "
            "have sealed another history; give one with --checkpoint")  # fmt: skip
    for note in found.notes:
        say(f"note    {note}")


def _record(
    asked: Asked, say: Callable[[str], None], outcome: Outcome, facts: dict[str, Any], title: str
) -> None:
    if asked.config is None:
        return
    try:
        lake = Lake.open(asked.lake, clock=now)
    except LakeError as error:
        say(f"note    this verification is not recorded: {error}")
        return
    if unkept := leave_record(
        lake, asked.config, "verify", outcome=outcome, facts=facts, title=title
    ):
        say(f"note    {unkept}")


def _frozen(asked: Asked) -> tuple[str, ...]:
    """How many frozen moments hold, and what is not as it was, where disposals or code explain it.

    Raises VerificationFailed where they do not.
    """
    lake = Lake.open(asked.lake, clock=now)
    if asked.config is None:
        with connect(lake) as connection:
            number = len(freezes(connection))
        told = f"{number} frozen moments were not judged again: that needs the configuration, see "
        return (f"{told}`headwater freeze list`",) if number else ()
    found = list(compare_all(lake, asked.config, VerifierKey.parse(asked.vkey)))
    if grave := tuple(told for one in found if one.grave for told in one.differs):
        raise VerificationFailed(grave)
    same = sum(not one.differs for one in found)
    good = (f"{same} frozen moments were judged again: they are as they were frozen",)
    return (*(good if same else ()), *(told for one in found for told in one.differs))


def _compare_kept(asked: Asked) -> None:
    """Judge and count without what is kept for that. Raises VerificationFailed if that says
    otherwise."""
    if asked.config is None:
        return
    lake = Lake.open(asked.lake, clock=now)
    shown = present(lake, asked.config)
    wrong = {"judging": kept_differs(lake, shown),
             "the next board": counted_otherwise(lake, asked.config, shown)}  # fmt: skip
    if any(wrong.values()):
        raise VerificationFailed(tuple(
            f"what is kept beside the lake for {what} said otherwise than the lake itself: it was "
            "damaged or changed, and is thrown away; boards of the last day may have been wrong"
            for what, differs in wrong.items() if differs
        ))  # fmt: skip


def _prove(notes: Sequence[str], say: Callable[[str], None]) -> None:
    if notes:
        say("These notes are signed by the same key and contradict one another or the lake. Keep "
            "them: they are the proof.\n")  # fmt: skip
    for note in notes:
        say(note)
