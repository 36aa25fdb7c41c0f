"""Verification: everything recomputed from the files and compared with what was signed.

It reads in parts and keeps some hundred bytes a sealed item: a large lake fits into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate

from evidence.errors import LakeBusy, LakeError, LakeRefused, VerificationFailed
from storage.anchored import examine_timestamps
from storage.case import Case, Progress
from storage.clocks import wrong_clocks
from storage.compare import Comparison
from storage.followers import examine_followers
from storage.history import check_chains, read_seals
from storage.lake import check_form
from storage.note import VerifierKey
from storage.outside import gather
from storage.place import Place, place_of
from storage.rescan import scan
from storage.survey import Finding, Survey, missing_files, survey
from storage.truth import find_truth, read_leaves
from storage.witness import FileWitness, Kept, Witness

__all__ = ["Finding", "Verified", "examine", "verify"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What held: `size` items sealed under `root`, of `items` rows; `notes` are not failures.

    `outside` is the number of checkpoints from outside the lake that agreed.
    """

    origin: str
    size: int
    root: bytes
    items: int
    notes: tuple[str, ...]
    outside: int = 0


def verify(
    place: Path | str | Place,
    vkey: str,
    *,
    witness: Path | None = None,
    witnesses: Sequence[Witness] = (),
    kept: Sequence[Kept] = (),
    now: datetime | None = None,
    roots: Sequence[Certificate] | None = None,
    progress: Progress | None = None,
    processes: int = 1,
) -> Verified:
    """Verify the lake at `place` with a public key and what is kept outside it.

    `witness` is a file, one more of the `witnesses`; `kept` are notes that somebody brought. With
    `now`, landings that lie in the future are a note. `roots` are the certificates by which the
    seals' timestamps are checked; with None there need not be any. `progress` is told how many
    rows were read of how many. So many `processes` read the rows of a large lake in a folder; with
    more than one a program must be importable (`if __name__ == "__main__":`), as for
    `multiprocessing`.
    Raises VerificationFailed naming each difference; LakeError if `vkey` is no key, or a process
    died.
    """
    case = _case(place, vkey, witness, witnesses, kept)
    case.now, case.progress = now, progress
    _examine(case, roots, processes)
    if fatal := tuple(f.sentence for f in case.findings if f.fatal):
        proof = dict.fromkeys(note for f in case.findings for note in f.notes)
        raise VerificationFailed(fatal, tuple(proof))
    if case.seal is None:
        raise VerificationFailed(("nothing is sealed",))
    notes = tuple(f.sentence for f in case.findings)
    return Verified(
        case.seal.origin, case.seal.size, case.seal.root, case.rows, notes, len(case.outside)
    )  # fmt: skip


def examine(
    place: Path | str | Place,
    vkey: str,
    witness: Path | None = None,
    *,
    witnesses: Sequence[Witness] = (),
    kept: Sequence[Kept] = (),
    now: datetime | None = None,
    roots: Sequence[Certificate] | None = None,
    processes: int = 1,
) -> tuple[Finding, ...]:
    """All differences between the lake and what was signed, notes included.

    Stops early only where a store does not answer: raises LakeBusy, LakeRefused; and LakeError
    where one of several `processes` died.
    """
    case = _case(place, vkey, witness, witnesses, kept)
    case.now = now
    _examine(case, roots, processes)
    return tuple(case.findings)


def _case(
    place: Path | str | Place,
    vkey: str,
    witness: Path | None,
    witnesses: Sequence[Witness],
    kept: Sequence[Kept],
) -> Case:
    case = Case(place_of(place), VerifierKey.parse(vkey))
    asked = (*([FileWitness(witness)] if witness else []), *witnesses)
    case.outside, case.findings = gather(case.place.at("log"), asked, kept, case.key)
    return case


def _examine(case: Case, roots: Sequence[Certificate] | None, processes: int) -> None:
    try:
        check_form(case.place)
    except (LakeBusy, LakeRefused):
        raise
    except LakeError as error:
        case.say("form", str(error))
    for told in case.place.strange():
        case.say("strange", told)
    heads = read_seals(case)
    evidence, ledger = _survey(case, "evidence"), _survey(case, "leaves")
    case.findings += examine_followers(case.place, heads)
    leaves = read_leaves(case, ledger.files)
    if case.seal is not None:
        leaves = find_truth(case, case.seal, leaves, evidence.files)
        check_chains(case, evidence)
    _compare(case, Comparison(case, leaves), evidence, processes)
    for told in wrong_clocks(evidence.landings, case.now):
        case.say("clock", told, fatal=False)
    if case.seal is not None:
        case.findings += examine_timestamps(
            case.place, case.key, roots, evidence.landings, case.seal.size, case.now
        )
    case.close()


def _compare(case: Case, comparison: Comparison, evidence: Survey, processes: int) -> None:
    total = sum(file.added.rows for file in evidence.files)
    for part in scan(case.place.at("evidence"), evidence.files, case.findings, processes):
        case.rows += len(part.ids)
        if case.seal is not None:
            comparison.take(part)
        if case.progress is not None:
            case.progress(case.rows, total)
    if case.seal is not None:
        comparison.finish(evidence)


def _survey(case: Case, name: str) -> Survey:
    place = case.place.at(name)
    found = survey(place, name)
    case.findings += found.findings + missing_files(place, name, found)
    return found
