"""Check a pack or a proof of Headwater's ledger, at home, without Headwater.

    python verify_pack.py PACK.zip   --key VKEY [--checkpoint NOTE]... [--consistency PROOF]...
    python verify_pack.py ITEM.proof --key VKEY [the same]

VKEY is the ledger's public key as text, or a file that holds it. Take it from where you trust it,
not from the pack. NOTE is a checkpoint that you hold yourself, from a witness or an earlier audit;
where it covers another number of items than the pack's, PROOF shows that one log continues the
other (`headwater proof --since SIZE`).

Needs Python 3.9 or later and the library `cryptography`, nothing else. It writes nothing, unpacks
nothing and follows no link or name that a pack holds.

Exit code: 0 everything that can be checked holds; 1 something does not, and one line says what;
2 it could not be checked: a file, the key, a proof or the library is missing.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

PACK = "headwater.pack/1"
FORM = "headwater.item/1"
PROOF_HEAD = "c2sp.org/tlog-proof@v1"
MOST_BYTES = 1_000_000_000
MOST_FILES = 100
NAME = re.compile(r"[A-Za-z_]{1,40}\.(txt|json|jsonl|csv|note|py)")
DAY = 1 << 5 | 1  # 1 January 1980, the first that zip knows
MODE = 0o100644 << 16
UNLISTED = {"manifest.json", "manifest.note"}
IDENTITY = (
    "form", "source", "kind", "nature", "system", "subject", "observed_from", "observed_to",
    "change", "outcome", "content_sha256",
)  # fmt: skip
COLUMNS = {
    *IDENTITY, "item_id", "title", "collected_at", "landed_at", "actor", "locator", "pull_id",
    "month", "payload",
}  # fmt: skip
NOT_CHECKED = """\
NOT checked, because no file can show it:
  that nothing else speaks to this control: only a search of the whole log can (`headwater pack`,
    run by you on a copy of the lake, must give the same bytes);
  the verdicts and standings: they are the signer's judgement by mapping.json, repeatable with
    Headwater as of {at}@{size};
  what the sources said before it was sealed, and who holds the signing key.
"""


class Wrong(Exception):
    """Something does not hold: exit code 1."""


class Missing(Exception):
    """Something needed is not there: exit code 2."""


class Note:
    """A checkpoint whose signature held: origin, number of items, root."""

    def __init__(self, text: str, key: Key, what: str) -> None:
        lines = open_note(text, key, key.origin, what).split("\n")
        sized = len(lines) > 3 and re.fullmatch("0|[1-9][0-9]{0,17}", lines[1])
        if not sized or lines[0] != key.origin:
            raise Wrong(f"{what} is no checkpoint of {key.origin}")
        self.size, self.root = int(lines[1]), from_base64(lines[2], what)


class Key:
    """A public key with the origin it signs for (C2SP vkey)."""

    def __init__(self, text: str) -> None:
        match = re.fullmatch(r"([^\s+]{1,200})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]{44})", text.strip())
        if match is None:
            raise Missing(f"{text.strip()[:80]!r} is no verifier key: origin+keyid+base64")
        self.origin, raw = match[1], base64.b64decode(match[3])
        self.public = raw[1:]
        if raw[:1] != b"\x01" or len(raw) != 33 or self.key_id(self.origin).hex() != match[2]:
            raise Missing("the verifier key is damaged: its key id does not fit")

    def key_id(self, name: str) -> bytes:
        """The four bytes that tell keys apart in a note signed under `name`."""
        return hashlib.sha256(name.encode() + b"\n\x01" + self.public).digest()[:4]

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether the signature is this key's."""
        try:
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError as error:
            raise Missing("the library is missing: python -m pip install cryptography") from error
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def open_note(text: str, key: Key, name: str, what: str) -> str:
    """The signed text of a C2SP note that `key` signed under `name`."""
    signed, gap, signatures = text.rpartition("\n\n")
    for line in signatures.split("\n") if gap else ():
        dash, _, rest = line.partition(" ")
        signer, _, encoded = rest.partition(" ")
        if dash == "—" and signer == name:
            raw = from_base64(encoded, what, length=68)
            if raw[:4] == key.key_id(name):
                if not key.holds(raw[4:], (signed + "\n").encode()):
                    raise Wrong(f"{what}: its signature does not hold: it was changed")
                return signed + "\n"
    raise Wrong(f"{what} is not signed by the key {key.origin}+{key.key_id(key.origin).hex()}")


def from_base64(text: str, what: str, length: int = 32) -> bytes:
    """Exactly `length` bytes, written in the one canonical way."""
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong(f"{what} holds {text[:60]!r}, which is no base64") from error
    if len(raw) != length or base64.b64encode(raw).decode() != text:
        raise Wrong(f"{what} holds {text[:60]!r}, which is not {length} bytes in base64")
    return raw


def sha256(data: bytes) -> str:
    """Lower-case hex."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785 for what occurs here: texts, whole numbers, null, lists, objects of plain keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def read_json(data: bytes, what: str) -> Any:
    """Canonical JSON; no key twice, no fraction, no huge number, no NaN, not deep."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a key stands there twice")
        return found

    def whole(digits: str) -> int:
        if len(digits) > 16:
            raise ValueError("a number is too large")
        return int(digits)

    def never(text: str) -> NoReturn:
        raise ValueError(f"{text[:20]} does not occur in a pack")

    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=once, parse_int=whole, parse_float=never,
            parse_constant=never,
        )  # fmt: skip
        written = canonical(value)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise Wrong(f"{what} is not the JSON of a pack: {why}") from None
    if written != data:
        raise Wrong(f"{what} is not written canonically: it was changed")
    return value


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def inclusion_root(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to (RFC 9162 section 2.1.3.2); None for a path of false length."""
    if not 0 <= index < size:
        return None
    node, last, at = leaf, size - 1, index
    for other in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            node = node_hash(other, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, other)
        at, last = at >> 1, last >> 1
    return node if last == 0 else None


def continues(old: int, new: int, roots: tuple[bytes, bytes], path: Sequence[bytes]) -> bool:
    """Whether the tree of `new` leaves continues that of `old` (RFC 9162 section 2.1.4.2)."""
    if not 0 < old < new:
        return False
    hashes = list(path) if old & (old - 1) else [roots[0], *path]
    if not hashes:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, other)
        at, last = at >> 1, last >> 1
    return last == 0 and (first, second) == roots


def archived(files: Mapping[str, bytes]) -> bytes:
    """The one zip file that holds these files: by name, stored plainly, side by side, undated."""
    parts: list[bytes] = []
    index, at = b"", 0
    for name in sorted(files):
        content, written = files[name], name.encode("ascii")
        crc, size = zlib.crc32(content), len(content)
        facts = struct.pack("<5H3L2H", 20, 0, 0, 0, DAY, crc, size, size, len(written), 0)
        parts += [b"PK\3\4" + facts + written, content]
        index += b"PK\1\2" + struct.pack("<2B", 20, 3) + facts
        index += struct.pack("<3H2L", 0, 0, 0, MODE, at) + written
        at += 30 + len(written) + size
    body = b"".join(parts)
    return body + index + b"PK\5\6" + struct.pack(
        "<4H2LH", 0, 0, len(files), len(files), len(index), len(body), 0
    )  # fmt: skip


def read_zip(path: Path) -> dict[str, bytes]:
    """The files of a pack, in an archive that is to the byte the one that holds them."""
    if path.stat().st_size > MOST_BYTES:
        raise Wrong(f"{path.name} is larger than a pack may be ({MOST_BYTES} bytes)")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(entries, path.stat().st_size)
            files = {entry.filename: archive.read(entry) for entry in entries}
    except Wrong:
        raise
    except Exception as error:  # noqa: BLE001  whatever a library says to a stranger's bytes
        raise Wrong(f"{path.name} is no whole zip file: {error}") from None
    if archived(files) != path.read_bytes():
        raise Wrong(f"{path.name} is not stored as a pack is: it was packed again, or added to")
    return files


def _check_entries(entries: list[zipfile.ZipInfo], most: int) -> None:
    """Before anything is read out: nothing unpacks to more than it is, or goes by a false name."""
    if len(entries) > MOST_FILES:
        raise Wrong(f"the pack holds {len(entries)} files: no pack does")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if not NAME.fullmatch(name) or entry.orig_filename != name:
            raise Wrong(f"the pack holds a file called {name[:80]!r}: no pack does")
        if name in seen:
            raise Wrong(f"the pack holds {name} twice")
        seen.add(name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise Wrong(f"{name} is compressed: the files of a pack lie there plainly")
    if sum(entry.file_size for entry in entries) > most:
        raise Wrong("the files of the pack claim to be larger than the pack")


class Pack:
    """A pack whose manifest is signed and whose files are those that the manifest lists."""

    def __init__(self, path: Path, key: Key) -> None:
        self.files = read_zip(path)
        for name in sorted(UNLISTED - self.files.keys()):
            raise Wrong(f"{name} is missing")
        manifest = self.files["manifest.json"]
        note = self.text("manifest.note")
        signed = open_note(note, key, f"{key.origin}/pack", "manifest.note")
        if signed != f"{key.origin}/pack\nsha256 {sha256(manifest)}\n":
            raise Wrong("manifest.json is not the one that was signed")
        self.manifest = read_json(manifest, "manifest.json")
        self.corrections: list[dict[str, Any]] = []
        if self.manifest.get("form") != PACK:
            raise Wrong(f"the pack has form {str(self.manifest.get('form'))[:40]!r}, not {PACK}")
        self._check_files()
        self.note = Note(self.text("checkpoint.note"), key, "checkpoint.note")
        told = self.manifest["checkpoint"]
        if (self.note.size, self.note.root.hex()) != (told["size"], told["root"]):
            raise Wrong("checkpoint.note is not the checkpoint that the manifest names")

    def text(self, name: str) -> str:
        """A file as text."""
        try:
            return self.files[name].decode("utf-8")
        except KeyError:
            raise Wrong(f"{name} is missing") from None
        except UnicodeDecodeError:
            raise Wrong(f"{name} is not UTF-8") from None

    def lines(self, name: str) -> list[Any]:
        """A file of one JSON value a line."""
        content = self.files.get(name, b"")
        if content and not content.endswith(b"\n"):
            raise Wrong(f"{name} was cut: its last line does not end")
        return [
            read_json(line, f"{name} line {number}")
            for number, line in enumerate(content.split(b"\n")[:-1], 1)
        ]

    def _check_files(self) -> None:
        listed = self.manifest["files"]
        held = {name: sha256(data) for name, data in self.files.items() if name not in UNLISTED}
        for name in sorted(listed.keys() - held.keys()):
            raise Wrong(f"{name} is missing")
        for name in sorted(held.keys() - listed.keys()):
            raise Wrong(f"{name} is in the pack, but not in its manifest")
        for name, digest in sorted(held.items()):
            if digest != listed[name]:
                raise Wrong(f"{name} is not the file that the manifest lists: it was changed")

    def check_items(self) -> int:
        """Every row by itself, in its place in the tree, and all of them together."""
        items, proofs = self.lines("items.jsonl"), self.lines("proofs.jsonl")
        if len(items) != len(proofs):
            raise Wrong(f"{len(items)} items have {len(proofs)} proofs")
        roles: dict[str, list[str]] = {"item": [], "pull": [], "mapping": [], "correction": []}
        corrections: dict[str, dict[str, Any]] = {}
        places: set[int] = set()
        for number, (item, proof) in enumerate(zip(items, proofs), 1):  # noqa: B905  Python 3.9
            row = check_row(item["row"], f"items.jsonl line {number}")
            index, name = proof["leaf_index"], row["item_id"]
            if proof["item_id"] != name or item["leaf_index"] != index or index in places:
                raise Wrong(f"the proof in line {number} is not that of item {name}")
            places.add(index)
            check_place(row, index, [bytes.fromhex(node) for node in proof["path"]], self.note)
            roles[item["role"]].append(name)
            if item["role"] == "mapping" and row["payload"].encode() != self.files["mapping.json"]:
                raise Wrong("mapping.json is not the document that was sealed")
            if item["role"] == "item":
                self._fits(row)
            if item["role"] == "correction":
                corrections[name] = read_json(row["payload"].encode(), f"correction {name}")
        self._together(roles)
        self._check_corrections(corrections, set(roles["item"]))
        return len(items)

    def _fits(self, row: dict[str, Any]) -> None:
        scope = self.manifest["scope"]
        if scope["system"] is not None and row["system"] != scope["system"]:
            raise Wrong(f"item {row['item_id']} is of another system than the pack's scope")
        if scope["kinds"] and row["kind"] not in scope["kinds"]:
            raise Wrong(f"item {row['item_id']} is of another kind than the pack's scope")

    def _check_corrections(self, acts: Mapping[str, Any], items: set[str]) -> None:
        """Every act is about an item of the pack, and corrections.json tells of each correction."""
        for name, act in acts.items():
            if act["item_id"] not in items:
                raise Wrong(f"correction {name} is about no item of the pack")
        answers = ("confirm", "withdraw")
        made = {name for name, act in acts.items() if act.get("what") not in answers}
        listed = self.files.get("corrections.json", b"[]")
        self.corrections = read_json(listed, "corrections.json")
        if made != {row["correction"] for row in self.corrections}:
            raise Wrong("corrections.json does not tell exactly the corrections of the pack")

    def _together(self, roles: dict[str, list[str]]) -> None:
        told = self.manifest["counts"]
        for role, ids in roles.items():
            number = told.get(role, 0)
            if len(ids) != number:
                raise Wrong(f"the pack holds {len(ids)} of {number} rows of role {role}")
        population = sha256(canonical(sorted(roles["item"])))
        if population != self.manifest["population"]:
            raise Wrong("the items are not the population that the manifest names")
        if sha256(self.files["mapping.json"]) != self.manifest["mapping"]["digest"]:
            raise Wrong("mapping.json is not the mapping that the manifest names")
        tagged = {tag["item_id"] for tag in read_json(self.files["tags.json"], "tags.json")}
        if tagged != set(roles["item"]):
            raise Wrong("tags.json does not tag exactly the items of the pack")


def check_row(row: Any, what: str) -> dict[str, Any]:
    """A row whose payload, identity and columns agree with one another."""
    if isinstance(row, dict) and row.get("form") != FORM:
        raise Missing(f"{what} has form {str(row.get('form'))[:40]!r}: take a newer verify_pack.py")
    if not isinstance(row, dict) or set(row) != COLUMNS or not isinstance(row["payload"], str):
        raise Wrong(f"{what} is no row of evidence")
    name = str(row["item_id"])[:80]
    if sha256(row["payload"].encode()) != row["content_sha256"]:
        raise Wrong(f"item {name}: its payload does not have the digest beside it")
    if sha256(canonical({key: row[key] for key in IDENTITY})) != row["item_id"]:
        raise Wrong(f"item {name}: its id is not the digest of its content")
    return row


def check_place(row: dict[str, Any], index: int, path: Sequence[bytes], note: Note) -> None:
    """That this row, to the letter, is leaf `index` of the sealed tree."""
    data = canonical({key: value for key, value in row.items() if key != "payload"})
    if inclusion_root(leaf_hash(data), index, note.size, path) != note.root:
        raise Wrong(f"item {row['item_id']} is not leaf {index} of the sealed log: it was edited")


def check_proof(path: Path, key: Key) -> Note:
    """One item's proof as text (c2sp.org/tlog-proof): the extra line holds the row's leaf data."""
    text = read_text(path)
    head, _, note_text = text.partition("\n\n")
    lines = head.split("\n")
    if len(lines) < 3 or lines[0] != PROOF_HEAD or not lines[1].startswith("extra "):
        raise Wrong(f"{path.name} is neither a pack nor a {PROOF_HEAD} with its item")
    note = Note(note_text, key, "the proof's checkpoint")
    match = re.fullmatch("index (0|[1-9][0-9]{0,17})", lines[2])
    if match is None:
        raise Wrong(f"{path.name} names no leaf")
    try:
        data = base64.b64decode(lines[1][6:], validate=True)
    except ValueError:
        raise Wrong(f"{path.name} holds no leaf data in base64") from None
    row = read_json(data, "the leaf data")
    nodes = [from_base64(line, path.name) for line in lines[3:]]
    if inclusion_root(leaf_hash(data), int(match[1]), note.size, nodes) != note.root:
        raise Wrong(f"the item is not leaf {match[1]} of the sealed log: it was edited")
    print(f"ok      item {row['item_id']} is leaf {match[1]} of {note.size} sealed items")
    print(f"        {row['kind']} · {row['subject']} · observed until {row['observed_to']}")
    print(f"        payload (not in a proof) must have the SHA-256 {row['content_sha256']}")
    return note


def compare(note: Note, own: Note, what: str, proofs: Sequence[Path]) -> None:
    """That the pack's checkpoint and one that the auditor holds are of one log."""
    small, large = sorted((note, own), key=lambda one: one.size)
    if small.size == large.size:
        if small.root != large.root:
            raise Wrong(f"{what} seals other {own.size} items: there are two histories")
        print(f"ok      {what} is the same checkpoint")
        return
    for path in proofs:
        lines = read_text(path).partition("\n\n")[0].split("\n")
        if lines[0] != f"old {small.size}":
            continue
        hashes = [from_base64(line, path.name) for line in lines[1:]]
        if not continues(small.size, large.size, (small.root, large.root), hashes):
            raise Wrong(f"{path.name}: the log of {large.size} does not continue {small.size}")
        print(f"ok      {what}: the log of {large.size} items continues that of {small.size}")
        return
    raise Missing(
        f"{what} covers {own.size} items, the other {note.size}: give --consistency with the proof "
        f"that `headwater proof --since {small.size} --until {large.size}` writes"
    )


def read_text(path: Path) -> str:
    """A small text file that the auditor named."""
    try:
        with path.open("rb") as file:
            return file.read(10_000_000).decode("utf-8")
    except OSError as error:
        raise Missing(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Wrong(f"{path.name} is neither a pack nor text") from None


def check_pack(path: Path, key: Key) -> Note:
    """A whole pack; says what it holds."""
    pack = Pack(path, key)
    rows = pack.check_items()
    scope, counts, left = (pack.manifest[name] for name in ("scope", "counts", "left_out"))
    about = f", system {scope['system']}" if scope["system"] is not None else ""
    print(f"pack    {scope['control']}{about} as of {scope['at']}@{scope['size']}")
    print(f"ok      the manifest is signed by {key.origin}, every file is the one it lists")
    print(f"ok      {rows} rows ({counts['item']} items, {counts['pull']} pull records): payload,")
    print(f"        id, leaf and place in the log of {pack.note.size} sealed items computed again")
    print(f"ok      the items are the population {pack.manifest['population']}")
    standing = [row for row in pack.corrections if row["state"] != "withdrawn"]
    if standing:
        corrected = len({row["item_id"] for row in standing})
        overriding = len({row["item_id"] for row in standing if row["state"] == "overriding"})
        print(f"corrected by people: {corrected} of these items, of which two people overrode")
        print(f"        {overriding}; corrections.csv says who, and why")
    missed = [f"{n} {what.replace('_', ' ')}" for what, n in sorted(left.items()) if n]
    for told in missed or ["nothing"]:
        print(f"left out, by the signer's own count: {told}")
    print(NOT_CHECKED.format(at=scope["at"], size=scope["size"]), end="")
    return pack.note


def run(arguments: Sequence[str]) -> int:
    """Check what the arguments name; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="PACK.zip|ITEM.proof")
    parser.add_argument("--key", required=True, metavar="VKEY")
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], metavar="NOTE")
    parser.add_argument("--consistency", type=Path, action="append", default=[], metavar="PROOF")
    given = parser.parse_args(arguments)
    if not given.file.is_file():
        raise Missing(f"{given.file} is not there")
    key = Key(given.key if "+" in given.key else read_text(Path(given.key)))
    notes = [(path, Note(read_text(path), key, path.name)) for path in given.checkpoint]
    with given.file.open("rb") as file:
        packed = file.read(2) == b"PK"
    note = (check_pack if packed else check_proof)(given.file, key)
    for path, own in notes:
        compare(note, own, path.name, given.consistency)
    if not notes:
        print(
            "NOT compared with a checkpoint of your own: give --checkpoint, from a witness, to see"
        )
        print("  that this log is the one that others were shown")
    return 0


def main(arguments: Sequence[str]) -> int:
    """`run`, with every refusal as one line."""
    try:
        return run(arguments)
    except Wrong as error:
        print(f"WRONG   {shown(str(error))}", file=sys.stderr)
        return 1
    except Missing as error:
        print(f"missing {shown(str(error))}", file=sys.stderr)
        return 2
    except Exception as error:  # noqa: BLE001  it is a stranger's file: no surprise reassures
        print(f"WRONG   it is not shaped like a pack: {shown(repr(error))}", file=sys.stderr)
        return 1


def shown(text: str) -> str:
    """Text from a stranger's file, fit for a terminal and for one line."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:500]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
