"""The attacks on a sealed lake, each with the kind of finding by which `verify` must name it.

Each works on a copy (`storage.trial`). It returns the words that the finding must hold, such as
the id of the item it altered, or raises NotApplicable.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from storage import attack_cuts as cuts
from storage import attack_followers as followers
from storage import attack_history as history
from storage import attack_items as items
from storage import attack_logs as logs
from storage import attack_seals as seals
from storage.forging import Field

Plant = Callable[[Field], str]


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, and the kinds of finding of which one must name it.

    `note` says that a finding that is no failure is enough: what it shows may be innocent.
    """

    name: str
    kinds: frozenset[str]
    plant: Plant
    note: bool = False


def _attack(name: str, plant: Plant, *kinds: str, note: bool = False) -> Attack:
    return Attack(name, frozenset(kinds), plant, note)


ATTACKS = (
    _attack("edit a payload", items.payload, "edited"),
    _attack("edit a title", items.title, "edited"),
    _attack("edit an outcome", items.outcome, "edited"),
    _attack("edit a time", items.time, "edited"),
    _attack("edit a title, file digest redone in the log", items.title_covered, "edited"),
    _attack(
        "edit a payload, every digest and id redone", items.payload_covered, "missing", "rewrite"
    ),
    _attack("edit a title, its leaf redone in the ledger", items.title_and_leaf, "edited"),
    _attack("edit a title, its leaf redone, the tree taken away", items.title_and_tree, "rewrite"),
    _attack("drop the first item", cuts.head, "missing"),
    _attack("drop an item in the middle", cuts.middle, "missing"),
    _attack("drop the last item", cuts.tail, "missing"),
    _attack("drop a correction", cuts.correction, "missing"),
    _attack("delete a data file", cuts.file, "file", "partition"),
    _attack("put a link in the place of a data file", cuts.link, "strange"),
    _attack("delete a month", cuts.month, "partition"),
    _attack("delete the log of the evidence", cuts.log, "gone"),
    _attack("cut the head of the evidence's log", cuts.log_head, "log"),
    _attack("cut an entry from the middle of the log", cuts.log_middle, "log"),
    _attack("delete a file of the ledger's leaves", cuts.leaves, "file"),
    _attack("delete everything", cuts.everything, "gone"),
    _attack(
        "delete everything and begin a new lake", cuts.new_lake, "leaves", "missing", "rollback"
    ),
    _attack("put an item into a sealed file", items.behind, "extra"),
    _attack("put a correction into a sealed file", items.correction, "extra"),
    _attack("land an item twice", items.twice, "twice"),
    _attack("swap two files", items.swap, "file"),
    _attack("move a file to another month", items.month_moved, "edited"),
    _attack("replay an older copy of the whole lake", history.replay, "rollback"),
    _attack("replay an older checkpoint", history.older_checkpoint, "rollback"),
    _attack("replay an older checkpoint, also at the witness", history.older_witness, "witness"),
    _attack("remove the witness", history.no_witness, "seal"),
    _attack("cut the log, the ledger and the checkpoint together", history.cut, "rollback"),
    _attack(
        "fork: another history of the same length, signed by the same key",
        history.fork,
        "rewrite",
        "fork",
    ),
    _attack(
        "fork: a longer history, signed by the same key", history.longer_fork, "rewrite", "fork"
    ),
    _attack(
        "write the whole lake anew, one item other, with the true key",
        history.anew,
        "rewrite",
        "fork",
    ),
    _attack(
        "back-date: an item that claims to have landed long ago",
        history.back_dated,
        "clock",
        note=True,
    ),
    _attack("set the clock back while landing and sealing", history.clock_back, "clock", note=True),
    _attack(
        "date ahead: an item that claims to land next year", history.dated_ahead, "clock", note=True
    ),
    _attack("a checkpoint signed by another key", seals.other_key, "signature"),
    _attack("a checkpoint with its size altered", seals.altered_note, "signature"),
    _attack("remove the checkpoint", seals.no_checkpoint, "seal"),
    _attack("a checkpoint from the future", seals.future, "future", "leaves"),
    _attack(
        "a kept checkpoint with another root, signed by the same key",
        seals.kept_checkpoint,
        "rewrite",
        "fork",
    ),
    _attack("edit a source's cursor in the log", logs.cursor, "log"),
    _attack("hide a file from readers by a false statistic in the log", logs.statistic, "log"),
    _attack(
        "hide a file from readers by a false statistic in their short cut",
        logs.short_cut_statistic,
        "log",
    ),
    _attack("leave a file out of the readers' short cut", logs.short_cut, "log"),
    _attack("take a file out by a new log entry", logs.removal, "missing"),
    _attack("add a file from outside of the lake by a new log entry", logs.outside, "log"),
    _attack("edit the ledger's list of leaves", seals.leaves, "leaves"),
    _attack("edit a tile of the ledger", seals.tile, "tiles"),
    _attack("point a tag to another control", followers.tag, "altered"),
    _attack("drop tags, digest redone in the log", followers.no_tag, "altered"),
    _attack("turn a verdict to fresh", followers.verdict, "altered"),
    _attack(
        "turn a verdict to fresh, digest redone in the log", followers.verdict_covered, "altered"
    ),
    _attack("turn a standing to proved", followers.standing, "altered"),
    _attack("delete a file of verdicts", followers.verdict_file, "altered"),
    _attack("turn a verdict to fresh, called a compaction", followers.false_compaction, "log"),
    _attack("edit a title, called a compaction", logs.false_tidying, "edited"),
    _attack("leave an item out, called a compaction", logs.lossy_tidying, "missing"),
    _attack("edit a packed entry of the log", logs.packed, "log"),
)
