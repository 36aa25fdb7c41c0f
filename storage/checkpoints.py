"""The checkpoints that a lake keeps: the last one, and one of each size for good."""

from __future__ import annotations

from evidence.errors import LakeError, VerificationFailed
from storage.lake import Lake
from storage.note import Checkpoint, VerifierKey, open_note, parse_note
from storage.place import Place

CHECKPOINT = "log/checkpoint"
"""The last seal. It may lag behind the kept ones: two integrators may write it in either order."""
HISTORY = "log/checkpoints"


def read_checkpoint(lake: Lake) -> Checkpoint:
    """The last checkpoint as it lies in the lake, signature unchecked. Raises LakeError if none."""
    text = read_note(lake.place, CHECKPOINT)
    head = parse_note(text, what=lake.place.shown(CHECKPOINT)) if text else None
    if sizes := history_sizes(lake.place, after=head.size if head else -1):
        name = history_name(sizes[-1])
        head = parse_note(read_note(lake.place, name) or "", what=lake.place.shown(name))
    if head is None:
        raise LakeError(f"the ledger has no checkpoint yet at {lake.place.shown(CHECKPOINT)}")
    return head


def checkpoint_of(lake: Lake, size: int | None) -> Checkpoint:
    """The kept checkpoint of `size` items (None: the last), signature unchecked.

    Raises LakeError if none was kept.
    """
    if size is None:
        return read_checkpoint(lake)
    name = history_name(size)
    if (text := read_note(lake.place, name)) is None:
        raise LakeError(f"no checkpoint of {size} items was kept at {lake.place.shown(name)}")
    return parse_note(text, what=lake.place.shown(name))


def checkpoint_for(lake: Lake, size: int) -> Checkpoint:
    """The first kept checkpoint that covers `size` items. Raises LakeError if none does."""
    for kept in history_sizes(lake.place):
        if kept >= size:
            return checkpoint_of(lake, kept)
    raise LakeError(f"no checkpoint covers {size} items; run `headwater collect` to seal them")


def history_name(size: int) -> str:
    """Where the checkpoint of a size is kept for good."""
    return f"{HISTORY}/{size:020}"


def history_sizes(place: Place, after: int = -1) -> list[int]:
    """The sizes beyond `after` at which checkpoints were kept, ascending."""
    since = history_name(after) if after >= 0 else ""
    names = (name.rpartition("/")[2] for name in place.names(HISTORY, after=since))
    return sorted(int(name) for name in names if name.isdecimal())


def open_checkpoint(place: Place, name: str, key: VerifierKey, *, what: str) -> Checkpoint | None:
    """A checkpoint file with its signature checked, None if it is not there.

    Raises VerificationFailed.
    """
    text = read_note(place, name)
    return None if text is None else open_note(text, key, what=what)


def own_seal(place: Place, key: VerifierKey) -> Checkpoint | None:
    """The last checkpoint that the lake itself has, its signature checked; None if there is none.

    Raises VerificationFailed.
    """
    own = open_checkpoint(place, CHECKPOINT, key, what="the lake's checkpoint")
    if sizes := history_sizes(place, after=own.size if own else -1):
        own = open_checkpoint(place, history_name(sizes[-1]), key, what="the last checkpoint")
    return own


def read_note(place: Place, name: str) -> str | None:
    """The text of a note, None if it is not there. Raises LakeError if it is no text."""
    content = place.read(name)
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError as error:
        raise LakeError(f"{place.shown(name)} is no text: {error}") from error


def keep_checkpoint(place: Place, head: Checkpoint) -> None:
    """The history first, then the checkpoint: each a whole file or none."""
    content = head.text.encode()
    name = history_name(head.size)
    if not place.put_new(name, content):
        other = parse_note(read_note(place, name) or "", what=place.shown(name))
        if other.root != head.root:
            raise VerificationFailed(
                (f"another seal of {head.size} items lies at {place.shown(name)}: "
                 "history was rewritten",)
            )  # fmt: skip
    if read_note(place, CHECKPOINT) != head.text:
        place.replace(CHECKPOINT, content)
