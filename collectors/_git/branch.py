"""Where a branch of controlled documents stands, and what became of history that it lost.

A rewrite stays a failure until somebody answers for it: a record of the register `rewrites` with
its id, `by` and `why`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collectors._git.register_files import REGISTER, one_line
from collectors._git.register_items import HISTORY, Origin, Reader
from collectors._git.repository import Commit, Entry
from collectors._safe_yaml import Unreadable
from evidence.model import Change, EvidenceItem, Nature, Outcome
from evidence.times import stamp

BRANCH = "git.branch"
_REGISTERS = {"rewrites", "history_rewrites"}


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers for a rewrite, and why it was done; empty while nobody does."""

    by: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Commit `lost` was the head of `ref` and is no part of it since `now` took its place."""

    ref: str
    lost: str
    now: str

    @property
    def key(self) -> str:
        """Its id in the register `rewrites`."""
        return f"{self.lost[:12]}..{self.now[:12]}"

    def item(self, at: Commit, answer: Answer, origin: Origin) -> EvidenceItem:
        """The finding, as of the commit that showed it; with an answer it is settled."""
        when = min(at.committed_at, origin.collected_at)
        lost = (
            f"The history of {one_line(self.ref)} was rewritten: {self.lost[:12]} is no part of it"
        )
        end = f"; {one_line(answer.by)} answers for it" if answer.by else " any more"
        return EvidenceItem(
            source=origin.source, kind=HISTORY, subject=f"rewrite/{self.ref}/{self.key}",
            observed_from=when, observed_to=origin.collected_at, collected_at=origin.collected_at,
            payload={
                "ref": self.ref, "lost": self.lost, "now": self.now, "id": self.key,
                "answered_by": answer.by, "why": answer.why,
            },
            outcome=Outcome.RECORDED if answer.by else Outcome.FAILED, change=Change.CHANGED,
            locator=self.now, title=lost + end,
        )  # fmt: skip


def answers(reader: Reader, files: Iterable[Entry]) -> dict[str, Answer]:
    """Rewrite id → who answers for it, from the registers that stand now; half a record is none."""
    found: dict[str, Answer] = {}
    for entry in files:
        try:
            declared = reader.read(entry)
        except Unreadable:
            continue
        for one in declared:
            record = one.payload
            answering = one.kind == REGISTER and record.get("register") in _REGISTERS
            if answering and not one.problems:
                by, why = (str(record.get(k) or "").strip() for k in ("by", "why"))
                if by and why:
                    found[str(record.get("id", ""))] = Answer(by, why)
    return found


def branch(
    ref: str, head: Commit, files: int, rewrites: Mapping[Rewrite, Answer], origin: Origin
) -> EvidenceItem:
    """Where the branch stands; it fails while a rewrite is open."""
    unanswered = [one.key for one, answer in rewrites.items() if not answer.by]
    told = f"; {len(unanswered)} rewrites of its history are open" if unanswered else ""
    return EvidenceItem(
        source=origin.source, kind=BRANCH, subject=ref, observed_from=origin.collected_at,
        observed_to=origin.collected_at, collected_at=origin.collected_at, nature=Nature.STATE,
        outcome=Outcome.FAILED if unanswered else Outcome.RECORDED, locator=head.id,
        title=f"{one_line(ref)} stands at {head.id[:12]}, {files} controlled files{told}",
        payload={
            "ref": ref, "head": head.id, "committed_at": stamp(head.committed_at),
            "author": one_line(f"{head.author} <{head.author_email}>"),
            "signature": head.signature, "signed": head.signature in "GUXYR", "files": files,
            "rewrites_open": unanswered,
            **({"claimed_counts": True} if origin.claimed else {}),
            "rewrites_answered": [
                {"id": one.key, "by": answer.by, "why": answer.why}
                for one, answer in rewrites.items() if answer.by
            ],
        },
    )  # fmt: skip
