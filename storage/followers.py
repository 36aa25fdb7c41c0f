"""The tables that follow the evidence: their logs are sealed with it, and verified against it.

A follower's rows are no leaves: they can be made again, or judged again. What was *said* must
still not change unseen, so each checkpoint names the chain of each follower's log, and each log
entry names the digests of its files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from evidence.errors import LakeBusy, LakeError, LakeRefused, VerificationFailed
from storage.commits import Commit, read_commit
from storage.engine import Limits, open_engine, rows_of
from storage.files import has_bytes
from storage.lake import Lake
from storage.note import Checkpoint, LogChain
from storage.place import Place
from storage.schema import TABLES
from storage.survey import Finding, Listed, Survey, missing_files, survey

FOLLOWERS = tuple(name for name in TABLES if name not in {"evidence", "leaves"})
REMEDIES = {
    "tags": "`headwater rebuild tags` makes them again from the evidence and today's rules",
}
_REMEDY = (
    "restore {0}/ from a backup; what was said then cannot be made again, only judged again "
    "(`headwater status --as-of`)"
)
_LIMITS = Limits(memory_mb=2048)
_BUCKET_ROWS = 2_000_000


def follower_chains(
    lake: Lake, seals: Sequence[Checkpoint], *, anew: Sequence[str] = ()
) -> tuple[LogChain, ...]:
    """The chain of each follower's log as of now, for the next checkpoint.

    Goes on from what `seals` (checked signatures) say; older entries are `verify`'s to read again.
    Tables in `anew` were made again: their chain begins with their first entry.
    Raises VerificationFailed if a log does not continue what was sealed, or a rewrite of its files
    (a compaction) since then changed a row. Raises LakeError.
    """
    return tuple(_chain(lake, name, () if name in anew else seals) for name in FOLLOWERS)


def _chain(lake: Lake, name: str, seals: Sequence[Checkpoint]) -> LogChain:
    sealed = sorted(chains_of(name, seals), key=lambda chain: chain.version)
    chain = sealed[0] if sealed else LogChain(table=name)
    newest = sealed[-1].version if sealed else -1
    table = lake.log(name, since=newest)
    if newest > table.version:
        raise VerificationFailed(
            (f"version {newest} of {name} was sealed, but it is at {table.version}: it was cut",)
        )
    due = {held.version: held for held in sealed}
    for commit in table.commits(chain.version):
        chain = chain.then(commit.version, commit.digest)
        if due.get(commit.version, chain) != chain:
            raise VerificationFailed((_rewritten(chain),))
        if commit.version > newest and (told := rewrite_changes(table.place, name, commit)):
            raise VerificationFailed((told,))
    return chain


def lasting(seal: Checkpoint) -> Checkpoint:
    """What a checkpoint kept outside says for good: a table that may be made again goes on from
    the lake's own last seal only, or no rebuild could ever be signed."""
    chains = (chain for chain in seal.followers if chain.table not in REMEDIES)
    return replace(seal, followers=tuple(chains))


def chains_of(name: str, seals: Sequence[Checkpoint]) -> list[LogChain]:
    """What checkpoints say of one follower."""
    return [chain for seal in seals for chain in seal.followers if chain.table == name]


def examine_followers(lake: Place, seals: Sequence[Checkpoint]) -> Iterator[Finding]:
    """Whether each follower's log and files are those that the checkpoints seal."""
    for name in FOLLOWERS:
        found = list(_examine(lake.at(name), name, chains_of(name, seals)))
        yield from found
        if any(finding.fatal for finding in found):
            remedy = REMEDIES.get(name, _REMEDY.format(name))
            yield Finding("altered", f"{name} are not as they were written: {remedy}")


def _examine(place: Place, name: str, sealed: Sequence[LogChain]) -> Iterator[Finding]:
    read = survey(place, name)
    yield from read.findings
    yield from missing_files(place, name, read)
    yield from _altered_files(place, name, read.files)
    for chain in sealed:
        if read.chains.get(chain.version) != chain:
            yield Finding("log", _rewritten(chain))
            break
    yield from _since(place, name, read, max((chain.version for chain in sealed), default=-1))


def _rewritten(chain: LogChain) -> str:
    return f"the log of {chain.table} up to version {chain.version} is not the one that was sealed"


def _altered_files(place: Place, name: str, listed: Sequence[Listed]) -> Iterator[Finding]:
    there = set(place.names())
    for file in listed:
        if file.path not in there:
            continue
        with place.fresh(file.path) as path:
            same = has_bytes(path, file.sha256, file.added.size)
        if not same:
            told = f"the file {name}/{file.path} does not have the bytes that were written"
            yield Finding("file", f"{told}: {file.added.rows} rows may be altered")


def _since(place: Place, name: str, read: Survey, sealed: int) -> Iterator[Finding]:
    """What came after the seal: not covered yet, and a rewrite of files may change no row."""
    later = [version for version in read.chains if version > max(sealed, 0)]
    if later:
        told = f"{len(later)} commits of {name} came after the last seal: not covered yet"
        yield Finding("unsealed", told, fatal=False)
    for version in later:
        commit = read_commit(place, version)
        if commit is not None and (told := rewrite_changes(place, name, commit)):
            yield Finding("log", told)


def rewrite_changes(place: Place, name: str, commit: Commit) -> str:
    """What a rewrite of files changed; empty if it took out and put in the same rows.

    Checked before it is sealed: afterwards nobody else can tell. The files taken out are kept for
    `keep_snapshots`, so they are there.
    """
    if not commit.removes:
        return ""
    what = f"version {commit.version} of {name} rewrote files"
    try:
        same = _same_rows(
            name,
            place.locals(commit.removes),
            place.locals(add.path for add in commit.adds),
        )
    except (LakeBusy, LakeRefused):
        raise
    except (duckdb.Error, LakeError) as error:
        return f"{what}, which cannot be compared with what they replaced: {error}"
    return "" if same else f"{what} and changed their rows"


def _same_rows(name: str, before: Sequence[Path], after: Sequence[Path]) -> bool:
    """The same rows, each as often; in buckets, so that memory does not grow with the table."""
    with open_engine(_LIMITS) as engine:
        engine.lock([*before, *after])
        old, new = (rows_of(TABLES[name], files) for files in (before, after))
        numbers = [
            engine.execute(f"SELECT count(*) FROM ({side})").fetchall()[0][0]  # noqa: S608
            for side in (old, new)
        ]
        if numbers[0] != numbers[1]:
            return False
        buckets = 1 + numbers[0] // _BUCKET_ROWS
        differs = (
            f"SELECT 1 FROM ((SELECT * FROM ({old}) t WHERE hash(t) % {buckets} = $1) EXCEPT ALL "  # noqa: S608
            f"(SELECT * FROM ({new}) t WHERE hash(t) % {buckets} = $1)) LIMIT 1"
        )
        return not any(engine.execute(differs, [n]).fetchall() for n in range(buckets))
