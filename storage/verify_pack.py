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
import csv
import hashlib
import io
import json
import re
import struct
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

PACK = "headwater.pack/2"
STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
FORM = "headwater.item/1"
PROOF_HEAD = "c2sp.org/tlog-proof@v1"
MOST_FILES = 100
MOST_SMALL = 200_000_000
"""Bytes of a file that is read whole: all but the lists of items."""
MOST_LINE = 64_000_000
NAME = re.compile(r"[A-Za-z_]{1,40}\.(txt|md|html|json|jsonl|csv|parquet|note|dsse|py)")
ELSEWHERE = 0xFFFFFFFF  # instead of a number that is written wide, as zip64 has it
WIDE = ELSEWHERE  # numbers from here on
DAY = 1 << 5 | 1  # 1 January 1980, the first that zip knows
MODE = 0o100644 << 16
UNLISTED = {"manifest.json", "manifest.dsse"}
IDENTITY = (
    "form", "source", "kind", "nature", "system", "subject", "observed_from", "observed_to",
    "change", "outcome", "content_sha256",
)  # fmt: skip
COLUMNS = {
    *IDENTITY, "item_id", "title", "collected_at", "landed_at", "actor", "locator", "pull_id",
    "month", "payload",
}  # fmt: skip
CSV_COLUMNS = (
    "role", "leaf_index", "item_id", "source", "kind", "nature", "system", "subject", "title",
    "observed_from", "observed_to", "collected_at", "landed_at", "change", "outcome", "actor",
    "locator", "pull_id", "content_sha256", "payload",
)  # fmt: skip
ROLES = ("item", "pull", "mapping", "correction")
NOT_CHECKED = """\
NOT checked, because no file can show it:
  that nothing else belongs here: only a search of the whole log can (`headwater pack`, run by you
    on a copy of the lake, must give the same bytes); MISSING.md is the signer's word;
  verdicts, standings, board and OSCAL: they are the signer's judgement by mapping.json, repeatable
    with Headwater as of {at}@{size};
  evidence.parquet: its rows are those of items.jsonl by the signer's word;
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

    @property
    def name(self) -> str:
        """Origin and key id: what tells it apart from every other key."""
        return f"{self.origin}+{self.key_id(self.origin).hex()}"

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
    raise Wrong(f"{what} is not signed by the key {key.name}")


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


class Entry(NamedTuple):
    """A file of a zip archive: its name, size and CRC-32."""

    name: str
    size: int
    crc: int


def local_header(entry: Entry) -> bytes:
    """What stands before a file that is stored plainly, undated."""
    wide = entry.size >= WIDE
    name, size = entry.name.encode("ascii"), narrow(entry.size)
    extra = struct.pack("<2H2Q", 1, 16, entry.size, entry.size) if wide else b""
    return b"PK\3\4" + _facts(45 if wide else 20, entry.crc, size, name, extra) + name + extra


def index_entry(entry: Entry, at: int) -> bytes:
    """What the list at the end says of a file that begins at byte `at`."""
    name, size = entry.name.encode("ascii"), narrow(entry.size)
    wide = [entry.size] * 2 * (entry.size >= WIDE) + [at] * (at >= WIDE)
    extra = struct.pack(f"<2H{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    version = 45 if wide else 20
    facts = struct.pack("<2B", version, 3) + _facts(version, entry.crc, size, name, extra)
    return b"PK\1\2" + facts + struct.pack("<3H2L", 0, 0, 0, MODE, narrow(at)) + name + extra


def _facts(version: int, crc: int, size: int, name: bytes, extra: bytes) -> bytes:
    return struct.pack(
        "<5H3L2H", version, 0, 0, 0, DAY, crc, size, size, len(name), len(extra)
    )  # fmt: skip


def index_end(count: int, size: int, at: int) -> bytes:
    """How a zip file ends: where its list of `count` files begins, and how long it is."""
    wide = b""
    if max(size, at) >= WIDE:
        wide = b"PK\6\6" + struct.pack("<Q2H2L4Q", 44, 45, 45, 0, 0, count, count, size, at)
        wide += b"PK\6\7" + struct.pack("<LQL", 0, at + size, 1)
    facts = struct.pack("<4H2LH", 0, 0, count, count, narrow(size), narrow(at), 0)
    return wide + b"PK\5\6" + facts


def narrow(number: int) -> int:
    """A size or a place as the 32 bits of zip have it."""
    return ELSEWHERE if number >= WIDE else number


def check_layout(path: Path, entries: Sequence[Entry]) -> None:
    """The archive is to the byte the one that holds these files: by name, side by side."""
    strange = Wrong(f"{path.name} is not stored as a pack is: it was packed again, or added to")
    index, at = b"", 0
    with path.open("rb") as file:
        for entry in entries:
            header = local_header(entry)
            file.seek(at)
            if file.read(len(header)) != header:
                raise strange
            index += index_entry(entry, at)
            at += len(header) + entry.size
        end = index + index_end(len(entries), len(index), at)
        file.seek(at)
        if file.read(len(end) + 1) != end:
            raise strange


def opened(path: Path) -> zipfile.ZipFile:
    """The archive, once nothing in it can unpack to more than it is, or goes by a false name."""
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # noqa: BLE001  whatever a library says to a stranger's bytes
        raise Wrong(f"{path.name} is no whole zip file: {cut_in(path) or error}") from None
    try:
        _check_entries(archive.infolist(), path.stat().st_size)
    except Wrong:
        archive.close()
        raise
    return archive


def cut_in(path: Path) -> str:
    """In which file a pack without its end was cut; empty if it does not begin like a pack."""
    told, at, end = "", 0, path.stat().st_size
    with path.open("rb") as file:
        for _ in range(MOST_FILES):
            file.seek(at)
            head = file.read(30)
            if head[:4] != b"PK\3\4":
                break
            if len(head) < 30:
                return f"it was cut after {told or 'nothing'}"
            size, name_size, extra_size = struct.unpack("<L2H", head[22:30])
            name = file.read(name_size).decode("ascii", "replace")
            extra = file.read(extra_size)
            if size == ELSEWHERE and len(extra) >= 12:
                (size,) = struct.unpack("<Q", extra[4:12])
            at += 30 + name_size + extra_size + size
            if at > end:
                return f"it was cut in the middle of {name}"
            told = name
    return f"it was cut after {told}" if told else ""


def _check_entries(entries: Sequence[zipfile.ZipInfo], most: int) -> None:
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
        self.archive = opened(path)
        entries = sorted(self.archive.infolist(), key=lambda entry: entry.filename)
        self.names = [entry.filename for entry in entries]
        for name in sorted(UNLISTED - set(self.names)):
            raise Wrong(f"{name} is missing")
        self.statement = self._signed(key)
        self._check_files()
        check_layout(path, [Entry(e.filename, e.file_size, e.CRC) for e in entries])
        self.manifest = self.statement["predicate"]
        if self.manifest.get("form") != PACK:
            form = str(self.manifest.get("form"))[:40]
            raise Missing(f"the pack has form {form!r}, not {PACK}: take its own verify_pack.py")
        self.note = Note(self.text("checkpoint.note"), key, "checkpoint.note")
        told = self.manifest["checkpoint"]
        if (self.note.size, self.note.root.hex()) != (told["size"], told["root"]):
            raise Wrong("checkpoint.note is not the checkpoint that the manifest names")

    def _signed(self, key: Key) -> dict[str, Any]:
        """The statement, which the key signed in its envelope (DSSE 1.0) and nothing else."""
        what = "manifest.dsse"
        envelope = read_json(self.whole(what), what)
        keys = {"payload", "payloadType", "signatures"}
        if set(envelope) != keys or len(envelope["signatures"]) != 1:
            raise Wrong(f"{what} is no DSSE envelope")
        payload = self.whole("manifest.json")
        if envelope["payload"] != base64.b64encode(payload).decode():
            raise Wrong("manifest.json is not the one that was signed")
        kind = envelope["payloadType"]
        if kind != PAYLOAD_TYPE:
            raise Wrong(f"{what} signs a {str(kind)[:60]!r}, not a {PAYLOAD_TYPE}")
        encoded = b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)
        (own,) = envelope["signatures"]  # nobody else signs: there is one way to write a pack
        if set(own) != {"keyid", "sig"} or own["keyid"] != key.name:
            raise Wrong(f"the pack is not signed by the key {key.name}")
        if not key.holds(from_base64(own["sig"], what, 64), encoded):
            raise Wrong(f"{what}: its signature does not hold: it was changed")
        statement: dict[str, Any] = read_json(payload, "manifest.json")
        if statement.get("_type") != STATEMENT:
            raise Wrong("manifest.json is no in-toto statement")
        return statement

    def whole(self, name: str) -> bytes:
        """A small file."""
        if name not in self.names:
            raise Wrong(f"{name} is missing")
        if self.archive.getinfo(name).file_size > MOST_SMALL:
            raise Wrong(f"{name} is larger than such a file of a pack may be")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A file, piece by piece."""
        try:
            with self.archive.open(name) as file:
                while chunk := file.read(1 << 20):
                    yield chunk
        except Exception:  # noqa: BLE001  a damaged header, a checksum, an end too early
            raise Wrong(f"{name} cannot be read whole: it was changed") from None

    def text(self, name: str) -> str:
        """A small file as text."""
        try:
            return self.whole(name).decode("utf-8")
        except UnicodeDecodeError:
            raise Wrong(f"{name} is not UTF-8") from None

    def lines(self, name: str) -> Iterator[Any]:
        """A file of one JSON value a line, line by line."""
        with self.archive.open(name) as file:
            for number, line in enumerate(iter(lambda: file.readline(MOST_LINE), b""), 1):
                if not line.endswith(b"\n"):
                    raise Wrong(f"{name} was cut: line {number} does not end")
                yield read_json(line[:-1], f"{name} line {number}")

    def _check_files(self) -> None:
        """Every difference by name, in one sentence: what is missing, strange, renamed, changed."""
        listed = {one["name"]: one["digest"]["sha256"] for one in self.statement["subject"]}
        held = {name: self._digest(name) for name in self.names if name not in UNLISTED}
        strange = {held[name]: name for name in sorted(held.keys() - listed.keys())}
        wrong = []
        for name in sorted(listed.keys() - held.keys()):
            renamed = strange.pop(listed[name], None)
            wrong.append(
                f"{name} is missing" + (f": it lies there as {renamed}" if renamed else "")
            )
        for name in sorted(strange.values()):
            wrong.append(f"{name} is in the pack, but not in its manifest")
        for name in sorted(held.keys() & listed.keys()):
            if held[name] != listed[name]:
                wrong.append(f"{name} is not the file that the manifest lists: it was changed")
        if wrong:
            raise Wrong("; ".join(wrong))

    def _digest(self, name: str) -> str:
        """Of the file's bytes; empty for one that cannot be read whole."""
        digest = hashlib.sha256()
        try:
            for chunk in self.chunks(name):
                digest.update(chunk)
        except Wrong:
            return ""
        return digest.hexdigest()

    def check_items(self) -> int:
        """Every row by itself, in its place in the tree, and all of them together."""
        counted = dict.fromkeys(ROLES, 0)
        found = Found([], {})
        tree = Tree(self.note)
        proofs, sheet = self.lines("proofs.jsonl"), Sheet(self)
        for number, item in enumerate(self.lines("items.jsonl"), 1):
            row = check_row(item["row"], f"items.jsonl line {number}")
            index, name, role = item["leaf_index"], row["item_id"], item["role"]
            proof = next(proofs, None)
            if proof is None:
                raise Wrong(f"proofs.jsonl ends before items.jsonl: item {name} has no proof")
            if proof["item_id"] != name or proof["leaf_index"] != index:
                raise Wrong(f"the proof in line {number} is not that of item {name}")
            tree.check(row, index, [bytes.fromhex(node) for node in proof["path"]])
            sheet.check(item)
            counted[role] += 1
            self._take(row, role, found)
        if next(proofs, None) is not None:
            raise Wrong("proofs.jsonl holds more proofs than there are items")
        sheet.end()
        self._together(counted, found)
        return sum(counted.values())

    def _take(self, row: dict[str, Any], role: str, found: Found) -> None:
        """What is asked of all rows together, of one more row."""
        name = row["item_id"]
        if role == "item":
            found.items.append(bytes.fromhex(name))
            found.earlier += self._fits(row)
        own = row["source"] == "headwater"
        if own and row["kind"] == "headwater.correction":
            found.acts[name] = read_json(row["payload"].encode(), f"correction {name}") | {
                "role": role
            }
        if own and row["kind"] == "headwater.mapping":
            sealed = row["content_sha256"] == self.manifest["mapping"]["digest"]
            if role == "mapping" and not sealed:
                raise Wrong("mapping.json is not the document that was sealed")
            found.mapping = found.mapping or sealed

    def _fits(self, row: dict[str, Any]) -> bool:
        """Whether it tells of a time before the scope's; it may where it stood by then still."""
        scope, name = self.manifest["scope"], row["item_id"]
        if scope["systems"] is not None and row["system"] not in scope["systems"]:
            raise Wrong(f"item {name} is of another system than the pack's scope")
        if scope["kinds"] and row["kind"] not in scope["kinds"]:
            raise Wrong(f"item {name} is of another kind than the pack's scope")
        if scope["to"] is not None and row["observed_from"] >= scope["to"]:
            raise Wrong(f"item {name} tells of a time after the pack's scope")
        return scope["from"] is not None and row["observed_to"] < scope["from"]

    def _together(self, counted: dict[str, int], found: Found) -> None:
        told = self.manifest["counts"]
        for role, number in counted.items():
            if number != told[role]:
                raise Wrong(f"the pack holds {number} of {told[role]} rows of role {role}")
        found.items.sort()
        if digest_of(found.items) != self.manifest["population"]:
            raise Wrong("the items are not the population that the manifest names")
        if found.earlier != told["earlier"]:
            raise Wrong(f"{found.earlier} items are older than the scope, not {told['earlier']}")
        if sha256(self.whole("mapping.json")) != self.manifest["mapping"]["digest"]:
            raise Wrong("mapping.json is not the mapping that the manifest names")
        if found.mapping != self.manifest["mapping"]["sealed"]:
            raise Wrong("the pack lacks the sealed record of its mapping")
        self._check_tags(found.items)
        self._check_corrections(found)

    def _check_tags(self, items: Sequence[bytes]) -> None:
        """Tags of items of the pack only; of a scope of controls, of each of them."""
        at, every = 0, self.manifest["scope"]["controls"] is not None
        tagged = b""
        for tag in self.lines("tags.jsonl"):
            one = bytes.fromhex(tag["item_id"])
            if one == tagged:
                continue
            while not every and at < len(items) and items[at] < one:
                at += 1
            if at >= len(items) or items[at] != one:
                raise Wrong("tags.jsonl does not tag exactly the items of the pack")
            tagged, at = one, at + 1
        if every and at < len(items):
            raise Wrong("tags.jsonl does not tag exactly the items of the pack")

    def _check_corrections(self, found: Found) -> None:
        """Every act is about an item of the pack, and corrections.json tells of each correction."""
        items, made = set(found.items), set()
        for name, act in found.acts.items():
            if bytes.fromhex(act["item_id"]) in items:
                made |= set() if act.get("what") in ("confirm", "withdraw") else {name}
            elif act["role"] == "correction":
                raise Wrong(f"correction {name} is about no item of the pack")
        self.corrections = read_json(self.whole("corrections.json"), "corrections.json")
        if made != {row["correction"] for row in self.corrections}:
            raise Wrong("corrections.json does not tell exactly the corrections of the pack")

    def check_anchors(self, key: Key) -> int:
        """Earlier seals of the same log, each with a time authority's answer about it."""
        number = 0
        for line in self.lines("anchors.jsonl"):
            what = f"the seal of {str(line['size'])[:20]} items in anchors.jsonl"
            note = Note(line["note"], key, what)
            path = [bytes.fromhex(node) for node in line["consistency"]]
            same = (note.size, note.root) == (self.note.size, self.note.root)
            roots = (note.root, self.note.root)
            if not same and not continues(note.size, self.note.size, roots, path):
                raise Wrong(f"{what} is of another history")
            if hashlib.sha256(line["note"].encode()).digest() not in base64.b64decode(line["tsr"]):
                raise Wrong(f"{what}: the timestamp beside it is of something else")
            number += 1
        return number


@dataclass
class Found:
    """What the rows hold together: ids of items, acts of correction by id, how many items are
    older than the scope, whether the mapping's record is among them."""

    items: list[bytes]
    acts: dict[str, Any]
    earlier: int = 0
    mapping: bool = False


class Tree:
    """The sealed tree, from its root down: what is proved already is not proved again.

    A row's path leads up to the nearest node that the rows before it have proved. `open` holds the
    proved subtrees to the right of the last row: first leaf, end, hash, the nearest last.
    """

    def __init__(self, note: Note) -> None:
        self.open: list[tuple[int, int, bytes]] = [(0, note.size, note.root)]
        self.size = note.size

    def check(self, row: dict[str, Any], index: int, path: Sequence[bytes]) -> None:
        """That this row, to the letter, is leaf `index`: rows come in the order of their leaves."""
        data = canonical({key: value for key, value in row.items() if key != "payload"})
        name = row["item_id"]
        while self.open and self.open[-1][1] <= index:
            self.open.pop()
        if not self.open or index < self.open[-1][0]:
            raise Wrong(f"item {name} comes twice, out of its order, or is beyond the sealed log")
        low, high, proved = self.open.pop()
        if inclusion_root(leaf_hash(data), index - low, high - low, path) != proved:
            raise Wrong(
                f"item {name} is not leaf {index} of the sealed log: it was edited, or a row "
                "before it was taken out"
            )
        for node in reversed(path):  # from the top down; what lies to the right is proved now
            split = low + (1 << ((high - low - 1).bit_length() - 1))
            if index < split:
                self.open.append((split, high, node))
                high = split
            else:
                low = split


class Sheet:
    """evidence.csv, which must say what items.jsonl says."""

    def __init__(self, pack: Pack) -> None:
        self.file: IO[bytes] = pack.archive.open("evidence.csv")
        self._expect(csv_line(CSV_COLUMNS), "its first line")

    def check(self, item: Mapping[str, Any]) -> None:
        """The next line is that of the item."""
        self._expect(csv_line(csv_cells(item)), f"item {item['row']['item_id']}")

    def end(self) -> None:
        """No line follows."""
        if self.file.read(1):
            raise Wrong("evidence.csv holds more than the items of the pack")

    def _expect(self, line: bytes, what: str) -> None:
        if self.file.read(len(line)) != line:
            raise Wrong(f"evidence.csv does not say what items.jsonl says: {what}")


def csv_cells(item: Mapping[str, Any]) -> list[str]:
    """A line of items.jsonl as the cells of evidence.csv."""
    whole = {**item["row"], "role": item["role"], "leaf_index": item["leaf_index"]}
    return [str(whole[name]) for name in CSV_COLUMNS]


def csv_line(cells: Iterable[object]) -> bytes:
    """A line for spreadsheets: no cell begins like a formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([tame(str(cell)) for cell in cells])
    return out.getvalue().encode()


def tame(text: str) -> str:
    """A spreadsheet would run what begins like a formula: make it plain text."""
    return f"'{text}" if text[:1] in set("=+-@\t\r\n＝") else text


def digest_of(ids: Iterable[bytes]) -> str:
    """SHA-256 over sorted ids as a JSON list of hex texts."""
    digest, gap = hashlib.sha256(b"["), b""
    for one in ids:
        digest.update(gap + b'"' + one.hex().encode() + b'"')
        gap = b","
    digest.update(b"]")
    return digest.hexdigest()


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
    rows, anchors = pack.check_items(), pack.check_anchors(key)
    scope, counts, left = (pack.manifest[name] for name in ("scope", "counts", "left_out"))
    print(f"pack    {pack.manifest['about']}")
    print(f"        as of {scope['at']}@{scope['size']}")
    print(f"ok      the manifest is signed by {key.name}, every file is the one it lists")
    print(f"ok      {rows} rows ({counts['item']} items, {counts['pull']} pull records): payload,")
    print(f"        id, leaf and place in the log of {pack.note.size} sealed items computed again")
    print(f"ok      the items are the population {pack.manifest['population']}")
    if anchors:
        print(f"ok      {anchors} timestamped seals are of this log; check who stamped them with")
        print("        `openssl ts -verify` (anchors.jsonl: tsr, of the note beside it)")
    standing = [row for row in pack.corrections if row["state"] != "withdrawn"]
    if standing:
        corrected = len({row["item_id"] for row in standing})
        overriding = len({row["item_id"] for row in standing if row["state"] == "overriding"})
        print(f"corrected by people: {corrected} of these items, of which two people overrode")
        print(f"        {overriding}; corrections.csv says who, and why")
    missed = [f"{n} {what.replace('_', ' ')}" for what, n in sorted(left.items()) if n]
    for told in missed or ["nothing"]:
        print(f"left out, by the signer's own count: {told}")
    if missing := pack.manifest["missing"]:
        print(f"missing, by the signer's own word: {missing} entries in MISSING.md")
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
