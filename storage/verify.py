"""Verification: everything recomputed from the files and compared with what was signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate

from evidence.errors import LakeError, VerificationFailed
from storage.anchored import examine_timestamps
from storage.clocks import wrong_clocks
from storage.files import read_rows
from storage.followers import examine_followers, lasting
from storage.ledger import Checkpoint, checkpoint_path, history_path, history_sizes, open_checkpoint
from storage.merkle import Edge, root_of
from storage.note import VerifierKey
from storage.outside import gather
from storage.survey import Finding, Listed, Row, Survey, missing_files, scan, survey
from storage.witness import FileWitness, Held, Kept, Witness

__all__ = ["Finding", "Verified", "examine", "verify"]

_NAMED = 20


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


@dataclass(slots=True)
class _Case:
    """One examination: where, by which key, and what was found so far."""

    path: Path
    key: VerifierKey
    outside: list[Held] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    heads: list[Checkpoint] = field(default_factory=list)
    seal: Checkpoint | None = None
    rows: list[Row] = field(default_factory=list)

    def say(
        self, kind: str, sentence: str, *, item_id: str = "", fatal: bool = True,
        notes: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        self.findings.append(Finding(kind, sentence, item_id, fatal, notes))


def verify(
    path: Path,
    vkey: str,
    *,
    witness: Path | None = None,
    witnesses: Sequence[Witness] = (),
    kept: Sequence[Kept] = (),
    now: datetime | None = None,
    roots: Sequence[Certificate] | None = None,
) -> Verified:
    """Verify the lake at `path` with a public key and what is kept outside it.

    `witness` is a file, one more of the `witnesses`; `kept` are notes that somebody brought. With
    `now`, landings that lie in the future are a note. `roots` are the certificates by which the
    seals' timestamps are checked; with None there need not be any.
    Raises VerificationFailed naming each difference; LakeError if `vkey` is no key.
    """
    case = _examine(path, vkey, witness, witnesses, kept, now, roots)
    if fatal := tuple(f.sentence for f in case.findings if f.fatal):
        proof = dict.fromkeys(note for f in case.findings for note in f.notes)
        raise VerificationFailed(fatal, tuple(proof))
    if case.seal is None:
        raise VerificationFailed(("nothing is sealed",))
    notes = tuple(f.sentence for f in case.findings)
    return Verified(
        case.seal.origin, case.seal.size, case.seal.root, len(case.rows), notes, len(case.outside)
    )  # fmt: skip


def examine(
    path: Path,
    vkey: str,
    witness: Path | None = None,
    *,
    witnesses: Sequence[Witness] = (),
    kept: Sequence[Kept] = (),
    now: datetime | None = None,
    roots: Sequence[Certificate] | None = None,
) -> tuple[Finding, ...]:
    """All differences between the lake and what was signed, notes included; never stops early."""
    return tuple(_examine(path, vkey, witness, witnesses, kept, now, roots).findings)


def _examine(
    path: Path,
    vkey: str,
    witness: Path | None,
    witnesses: Sequence[Witness],
    kept: Sequence[Kept],
    now: datetime | None,
    roots: Sequence[Certificate] | None,
) -> _Case:
    case = _Case(Path(path), VerifierKey.parse(vkey))
    asked = (*([FileWitness(witness)] if witness else []), *witnesses)
    case.outside, case.findings = gather(case.path / "log", asked, kept, case.key)
    case.seal = _seal(case)
    evidence = _survey(case, "evidence")
    case.rows = list(scan(case.path / "evidence", evidence.files, case.findings))
    leaves = _leaves(case, _survey(case, "leaves").files)
    case.findings += examine_followers(case.path, case.heads)
    if case.seal is None:
        return case
    truth = _truth(case, case.seal, leaves)
    _older_seals(case, truth)
    _check_chains(case, case.seal, evidence)
    _compare(case, truth[: case.seal.size])
    for told in wrong_clocks(evidence.landings, now):
        case.say("clock", told, fatal=False)
    case.findings += examine_timestamps(
        case.path, case.key, roots, evidence.landings, case.seal.size, now
    )
    return case


def _survey(case: _Case, name: str) -> Survey:
    root = case.path / name
    found = survey(root, name)
    case.findings += found.findings + missing_files(root, name, found)
    return found


def _check_chains(case: _Case, seal: Checkpoint, evidence: Survey) -> None:
    """Every checkpoint names the log it was made from; the first that does not fit says where."""
    heads = [*(held.head for held in _kept(case)), seal]
    kept = (head for head in heads if head.size)
    for chain in sorted((held.chain for held in kept), key=lambda chain: chain.version):
        if evidence.chains.get(chain.version) != chain:
            case.say("log", f"the evidence log up to version {chain.version} is not the one "
                            "that was sealed")  # fmt: skip
            return


def _seal(case: _Case) -> Checkpoint | None:
    """The longest seal that holds: the lake's own checkpoint, or one kept outside it."""
    own = _open(case, checkpoint_path(case.path), "the lake's checkpoint")
    seal, told = own, set[str]()
    case.heads = [*([own] if own else []), *(lasting(held.head) for held in case.outside)]
    for held in sorted(case.outside, key=lambda held: -held.head.size):
        kept = held.head
        if own is None:
            seal = seal or kept
        elif held.who not in told and (differs := _contradiction(own, held)):
            told.add(held.who)
            case.say(*differs, notes=(own.text, kept.text))
            seal = max(own, seal or own, kept, key=lambda head: head.size)
    return seal


def _contradiction(own: Checkpoint, held: Held) -> tuple[str, str] | None:
    """Kind and sentence of how a kept checkpoint contradicts the lake's, by themselves."""
    kept = held.head
    if own.size < kept.size:
        return "rollback", (f"the lake's checkpoint covers {own.size} items, {held.what} "
                            f"{kept.size}: the lake was cut or set back")  # fmt: skip
    if own.size == kept.size and (own.root, own.chain) != (kept.root, kept.chain):
        return "rewrite", (f"the lake and {held.what} seal different {own.size} items: "
                           "history was rewritten")  # fmt: skip
    return None


def _open(case: _Case, path: Path, what: str) -> Checkpoint | None:
    try:
        found = open_checkpoint(path, case.key, what=what)
    except VerificationFailed as error:
        for sentence in error.findings:
            case.say("signature", sentence)
        return None
    except LakeError as error:
        case.say("signature", str(error))
        return None
    if found is None:
        case.say("seal", f"{what} is missing ({path}): what it sealed cannot be verified")
    return found


def _leaves(case: _Case, listed: Sequence[Listed]) -> list[Row | None]:
    """The ledger's own list, None where a leaf is missing."""
    found: dict[int, Row] = {}
    for file in listed:
        path = case.path / "leaves" / file.path
        if not path.is_file():
            continue
        try:
            rows = read_rows(path, {}).to_pylist()
            for row in rows:
                leaf = bytes.fromhex(row["leaf_hash"])
                found[row["leaf_index"]] = Row(row["item_id"], row["evidence_version"], leaf)
        except (LakeError, KeyError, TypeError, ValueError) as error:
            case.say("leaves", f"the ledger's file leaves/{file.path} is damaged: {error}")
    return [found.get(index) for index in range(max(found, default=-1) + 1)]


def _truth(case: _Case, seal: Checkpoint, leaves: list[Row | None]) -> list[Row | None]:
    """The list of leaves that the seal confirms: the ledger's, else the one the rows make."""
    if _fits(leaves, seal):
        return leaves
    rows: list[Row | None] = list(case.rows)
    if _fits(rows, seal):
        case.say("leaves", "the ledger's own list was altered; the evidence still fits the seal")
        return rows
    held = sum(leaf is not None for leaf in leaves[: seal.size])
    if held < seal.size:
        case.say("leaves", f"the ledger lists {held} of the {seal.size} sealed items: it was cut")
    else:
        case.say("rewrite", f"the {seal.size} leaves are not those that were sealed: "
                            "history was rewritten")  # fmt: skip
    return leaves + [None] * max(0, seal.size - len(leaves))


def _fits(leaves: Sequence[Row | None], seal: Checkpoint) -> bool:
    hashes = [leaf.leaf for leaf in leaves[: seal.size] if leaf is not None]
    return len(hashes) == seal.size and root_of(hashes) == seal.root


def _older_seals(case: _Case, truth: Sequence[Row | None]) -> None:
    """Every checkpoint ever kept must begin this log: the first that does not says where.

    Of those kept outside, the first of each keeper: each is a proof of its own.
    """
    edge, good, told = Edge(), 0, set[str]()
    for held in sorted(_kept(case), key=lambda held: held.head.size):
        seal = held.head
        span = truth[edge.size : seal.size]
        hashes = [leaf.leaf for leaf in span if leaf is not None]
        if len(hashes) < seal.size - edge.size:
            return
        edge = edge.extend(hashes)
        if edge.root() == seal.root:
            good = seal.size
        elif held.who not in told:
            told.add(held.who)
            by = f" by {held.what}" if held.who else ""
            notes = (seal.text, case.seal.text) if held.who and case.seal else ()
            case.say("rewrite", f"leaves {good} to {seal.size - 1} are not those that were "
                                f"sealed{by}", notes=notes)  # fmt: skip


def _kept(case: _Case) -> Iterator[Held]:
    """The checkpoints of the lake's own history (kept by nobody: ''), then those outside."""
    for size in history_sizes(case.path):
        path = history_path(case.path, size)
        try:
            seal = open_checkpoint(path, case.key, what=f"the checkpoint {path.name}")
        except LakeError as error:
            told = str(error)
            if told not in {f.sentence for f in case.findings}:
                case.say("signature", told)
            continue
        if seal is not None:
            yield Held("", path.name, seal)
    yield from case.outside


def _compare(case: _Case, truth: Sequence[Row | None]) -> None:
    """Each sealed leaf has its row, each row its leaf, and they agree."""
    places = {leaf.item_id: index for index, leaf in enumerate(truth) if leaf is not None}
    sealed_until = max((leaf.version for leaf in truth if leaf is not None), default=0)
    unsealed, seen = 0, Counter[int]()
    for row in case.rows:
        index = places.get(row.item_id)
        leaf = truth[index] if index is not None else None
        if index is not None and leaf is not None:
            seen[index] += 1
            _judge(case, row, leaf)
        elif row.version > sealed_until and not row.problem:
            unsealed += 1
        else:
            case.say("extra", f"item {row.item_id} is in no ledger{_because(row)}",
                     item_id=row.item_id)  # fmt: skip
    for index, times in seen.items():
        if times > 1 and (leaf := truth[index]) is not None:
            case.say("twice", f"item {leaf.item_id} is there {times} times", item_id=leaf.item_id)
    _missing(case, truth, seen)
    if unsealed:
        case.say("unsealed", f"{unsealed} items landed after the last seal: not covered yet",
                 fatal=False)  # fmt: skip


def _judge(case: _Case, row: Row, leaf: Row) -> None:
    problem = row.problem or ("" if row.leaf == leaf.leaf else "its columns differ from its leaf")
    if problem:
        case.say("edited", f"item {row.item_id} was edited: {problem}", item_id=row.item_id)


def _because(row: Row) -> str:
    return f": {row.problem}" if row.problem else ": it was added behind the seal"


def _missing(case: _Case, truth: Sequence[Row | None], seen: Counter[int]) -> None:
    gone = [index for index in range(len(truth)) if not seen[index]]
    for first, last in _runs(gone):
        ids = [leaf.item_id for leaf in truth[first : last + 1] if leaf is not None]
        named = ", ".join(ids[:_NAMED]) + (f" and {len(ids) - _NAMED} more" if ids[_NAMED:] else "")
        told = f"{last - first + 1} sealed items are missing {_where(first, last, len(truth))}"
        told += f" (leaves {first} to {last}): {named or 'their ids are lost as well'}"
        case.say("missing", told, item_id=ids[0] if len(ids) == 1 else "")


def _where(first: int, last: int, size: int) -> str:
    if first == 0 and last == size - 1:
        return "everywhere: everything is gone"
    if first == 0:
        return "at the head"
    return "at the tail" if last == size - 1 else "in the middle"


def _runs(indexes: Sequence[int]) -> Iterator[tuple[int, int]]:
    start: int | None = None
    for place, index in enumerate(indexes):
        start = index if start is None else start
        if place + 1 == len(indexes) or indexes[place + 1] != index + 1:
            yield start, index
            start = None
