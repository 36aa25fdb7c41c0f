"""The checkpoints that were kept, compared with each other, the tree and the table's log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from evidence.errors import LakeBusy, LakeError, LakeRefused, VerificationFailed
from storage.case import Case
from storage.checkpoints import CHECKPOINT, history_name, history_sizes, open_checkpoint
from storage.followers import lasting
from storage.note import Checkpoint
from storage.place import Place
from storage.survey import Survey
from storage.witness import Held


def read_seals(case: Case) -> list[Checkpoint]:
    """The lake's own checkpoints into `case.own`, the longest of all into `case.seal`.

    Returns those that the logs of the followers must continue. `case.outside` was gathered before.
    """
    what = "the lake's checkpoint"
    own = _open(case, CHECKPOINT, what)
    if own is None and _missing(case.place, CHECKPOINT):
        where = case.place.shown(CHECKPOINT)
        case.say("seal", f"{what} is missing ({where}): what it sealed cannot be verified")
    history = list(_history(case))
    case.own = [*([Held("", what, own)] if own else []), *history]
    case.seal = _longest_own(case, own, history)
    if own is not None:
        _contradictions(case, case.seal or own)
    outside = (held.head for held in case.outside)
    case.seal = max(filter(None, (case.seal, *outside)), key=lambda head: head.size, default=None)
    return [*([own] if own else []), *(lasting(held.head) for held in case.outside)]


def _missing(place: Place, name: str) -> bool:
    try:
        return place.facts(name) is None
    except (LakeBusy, LakeRefused):
        raise
    except LakeError:  # something lies there, and what it is was said
        return False


def _open(case: Case, name: str, what: str) -> Checkpoint | None:
    try:
        return open_checkpoint(case.place, name, case.key, what=what)
    except (LakeBusy, LakeRefused):
        raise
    except VerificationFailed as error:
        for sentence in error.findings:
            case.say("signature", sentence)
    except LakeError as error:
        case.say("signature", str(error))
    return None


def _history(case: Case) -> Iterator[Held]:
    """The checkpoints that the lake kept: kept by nobody (''), as its own."""
    for size in history_sizes(case.place):
        head = _open(case, history_name(size), f"the checkpoint {size:020}")
        if head is not None and head.size != size:
            case.say("signature", f"the checkpoint {size:020} covers {head.size} items")
        elif head is not None:
            yield Held("", f"the kept checkpoint of {size}", head)


def _longest_own(case: Case, own: Checkpoint | None, history: list[Held]) -> Checkpoint | None:
    """The history is written first: a seal that was interrupted is there, and holds."""
    if not history:
        return own
    last = history[-1].head
    if own is not None and last.size > own.size:
        told = f"the lake's checkpoint covers {own.size} items, the last one kept {last.size}"
        told += ": a seal was interrupted, or the checkpoint set back; the longer one was verified"
        case.say("behind", told, fatal=False)
        return last
    return own or last


def _contradictions(case: Case, own: Checkpoint) -> None:
    """Two checkpoints of our key that cannot both be true, whatever the lake holds."""
    told = set[str]()
    for held in sorted(case.held, key=lambda held: -held.head.size):
        differs = _contradiction(own, held)
        if differs and held.who not in told:
            told.add(held.who)
            case.say(*differs, notes=(own.text, held.head.text))


def _contradiction(own: Checkpoint, held: Held) -> tuple[str, str] | None:
    kept = held.head
    if own.size < kept.size:
        return "rollback", (f"the lake's checkpoint covers {own.size} items, {held.what} "
                            f"{kept.size}: the lake was cut or set back")  # fmt: skip
    if own.size == kept.size and (own.root, own.chain) != (kept.root, kept.chain):
        return "rewrite", (f"the lake and {held.what} seal different {own.size} items: "
                           "history was rewritten")  # fmt: skip
    return None


def check_history(case: Case, roots: Mapping[int, bytes]) -> None:
    """Every checkpoint must begin this tree: the first that does not says where.

    `roots` are those of the leaves at each size; what is longer cannot be compared. Of those kept
    outside the first of each keeper is named: each is a proof of its own.
    """
    good, told = 0, set[str]()
    for held in sorted(case.held, key=lambda held: held.head.size):
        head = held.head
        if head.size not in roots:
            return
        if roots[head.size] == head.root:
            good = head.size
        elif held.who not in told:
            told.add(held.who)
            by = f" by {held.what}" if held.who else ""
            case.say("rewrite", f"leaves {good} to {head.size - 1} are not those that were "
                                f"sealed{by}", notes=_proof(case, held, roots))  # fmt: skip
            _name_fork(case, held, roots)


def _proof(case: Case, held: Held, roots: Mapping[int, bytes]) -> tuple[str, ...]:
    holds = case.seal is not None and roots.get(case.seal.size) == case.seal.root
    return (held.head.text, case.seal.text) if case.seal and (held.who or holds) else ()


def _name_fork(case: Case, held: Held, roots: Mapping[int, bytes]) -> None:
    """The leaves fit the longest checkpoint: then this one is of another log, by the same key."""
    seal, head = case.seal, held.head
    if seal and seal.size > head.size and roots.get(seal.size) == seal.root:
        case.say("fork", f"two checkpoints of {seal.origin} contradict each other, {held.what} of "
                         f"{head.size} items with root {head.root.hex()} and that of {seal.size} "
                         f"with root {seal.root.hex()}: the log was forked")  # fmt: skip


def check_chains(case: Case, evidence: Survey) -> None:
    """Every checkpoint names the log it was made from; the first that does not fit says where."""
    chains = {held.head.chain for held in case.held if held.head.size}
    for chain in sorted(chains, key=lambda chain: chain.version):
        if evidence.chains.get(chain.version) != chain:
            last = max(evidence.chains, default=-1)
            ends = f"; it can be followed to version {last} only" if last < chain.version else ""
            case.say("log", f"the evidence log up to version {chain.version} is not the one "
                            f"that was sealed{ends}")  # fmt: skip
            return
