"""What is kept outside the lake, gathered for verification: it must all begin this lake's log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from evidence.errors import LakeError, VerificationFailed
from storage.note import VerifierKey, open_note
from storage.place import Place
from storage.publication import Published, remembered
from storage.survey import Finding
from storage.witness import Held, Kept, Witness


def gather(
    log: Place, witnesses: Sequence[Witness], kept: Sequence[Kept], key: VerifierKey
) -> tuple[list[Held], list[Finding]]:
    """Every checkpoint that the witnesses and `kept` hold, and what is wrong with them so far.

    A witness that is gone, cannot be read or was set back is a finding: what cannot be compared is
    not reassuring. Those that cannot be read back at all (a mailbox) are a note.
    """
    findings, known = list[Finding](), dict[str, Published]()
    try:
        known |= remembered(log)
    except LakeError as error:
        findings.append(Finding("witness", str(error)))
    held = list(_opened(kept, key, findings))
    for witness in witnesses:
        held += _ask(witness, known.get(witness.where, Published()), key, findings)
    return held, findings


def _ask(
    witness: Witness, last: Published, key: VerifierKey, findings: list[Finding]
) -> list[Held]:
    if told := last.sentence(witness.name):
        findings.append(Finding("witness", told, fatal=False))
    if not witness.readable:
        told = f"{witness.name} cannot be read back: give a note from it as --checkpoint"
        findings.append(Finding("witness", told, fatal=False))
        return []
    try:
        notes = witness.kept(last.mark, whole=True)
    except VerificationFailed as error:
        findings += [Finding("witness", sentence) for sentence in error.findings]
        notes = _again(witness)
    except LakeError as error:
        told = f"{witness.name} cannot be read, so nothing was compared with it: {error}"
        findings.append(Finding("witness", told))
        return []
    if not notes:
        told = f"{witness.name} is missing ({witness.where}): what it sealed cannot be verified"
        findings.append(Finding("seal", told))
    held = list(_opened(notes, key, findings))
    findings += _set_back(witness, held, last)
    return held


def _again(witness: Witness) -> Sequence[Kept]:
    """What it holds now, whatever its history: each note still is a signed word."""
    try:
        return witness.kept("", whole=True)
    except LakeError:
        return ()


def _opened(notes: Sequence[Kept], key: VerifierKey, findings: list[Finding]) -> Iterator[Held]:
    for note in notes:
        try:
            yield Held(note.who, note.what, open_note(note.text, key, what=note.what))
        except VerificationFailed as error:
            findings += [Finding("signature", sentence) for sentence in error.findings]


def _set_back(witness: Witness, held: Sequence[Held], last: Published) -> Iterator[Finding]:
    sizes = [one.head.size for one in held]
    for before, after in pairwise(held):
        if after.head.size < before.head.size:
            told = f"{after.what} covers {after.head.size} items, the one before it "
            yield Finding("witness", f"{told}{before.head.size}: the witness was set back")
    if sizes and max(sizes) < last.size:
        told = f"{witness.name} covers {max(sizes)} items, but was shown {last.size}"
        yield Finding("witness", f"{told}: the witness was set back")
