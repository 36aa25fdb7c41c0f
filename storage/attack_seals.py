"""Attacks on what is signed and on the tree under it."""

from __future__ import annotations

from storage.attack_items import edit_leaf
from storage.checkpoints import CHECKPOINT, history_name, history_sizes, read_checkpoint
from storage.forging import Field, NotApplicable, remove, replace_file
from storage.keys import load_key, make_key
from storage.ledger import integrate
from storage.place_local import LocalPlace


def other_key(field: Field) -> str:
    make_key(field.folder / "other", origin=field.signer.origin)
    other = load_key(field.folder / "other")
    remove(field.path / CHECKPOINT)
    for size in history_sizes(LocalPlace(field.path)):
        remove(field.path / history_name(size))
    integrate(field.lake, other)
    return "not signed by"


def altered_note(field: Field) -> str:
    path = field.path / CHECKPOINT
    lines = path.read_text(encoding="utf-8").split("\n")
    lines[1] = str(int(lines[1]) - 1)
    replace_file(path, "\n".join(lines).encode())
    return "does not hold"


def no_checkpoint(field: Field) -> str:
    remove(field.path / CHECKPOINT)
    return "missing"


def future(field: Field) -> str:
    head = read_checkpoint(field.lake)
    forged = field.signer.sign(head.size + 7, b"\x07" * 32, head.chain, head.followers)
    replace_file(field.path / CHECKPOINT, forged.text.encode())
    return str(head.size + 7)


def kept_checkpoint(field: Field) -> str:
    size = history_sizes(LocalPlace(field.path))[0]
    head = read_checkpoint(field.lake)
    forged = field.signer.sign(size, b"\x05" * 32, head.chain, head.followers)
    replace_file(field.path / history_name(size), forged.text.encode())
    return ""


def leaves(field: Field) -> str:
    edit_leaf(field, field.middle, "ab" * 32)
    return "list was altered"


def tile(field: Field) -> str:
    tiles = sorted(p for p in (field.path / "log" / "tile").rglob("*") if p.is_file())
    if not tiles:
        raise NotApplicable("the ledger has no tiles")
    content = bytearray(tiles[0].read_bytes())
    content[0] ^= 0xFF
    replace_file(tiles[0], bytes(content))
    return "tiles of the tree are not what its leaves make"
