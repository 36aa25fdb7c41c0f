"""A pack is checked by a program that knows nothing of Headwater, and every change of it shows."""

from __future__ import annotations

import ast
import base64
import copy
import hashlib
import io
import json
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import cryptography
import pytest

from evidence.canonical import canonical
from evidence.errors import ConfigError, LakeError
from flows import pack, proof
from flows.moment import Asked
from flows.setup import initialise
from storage import verify_pack
from storage.checkpoints import history_sizes
from storage.keys import Signer, load_key, make_key
from storage.note import parse_note
from tests.flows.house import House, make_house

CONTROL = "A.7.4"
WHEN = (1980, 1, 1, 0, 0, 0)
PROGRAM = Path(verify_pack.__file__)
Files = dict[str, bytes]
pytestmark = pytest.mark.xdist_group("packs")  # a house takes seconds to build


class Packed:
    """A house, in a module's folder, and `path`: the pack that its tests are about."""

    def __init__(self, folder: Path, pulls: int = 4) -> None:
        list(initialise(folder / "home", "Test House"))
        self.folder = folder
        self.house: House = make_house(folder / "home" / "headwater.toml")
        text = self.house.config.file.read_text().replace('path = "lake"', 'path = "dated"')
        self.house.config.file.write_text(text)
        for _ in range(pulls):
            self.house.land()
            self.house.follow(seconds=60)
        self.sizes = history_sizes(self.house.config.lake)
        self.signer: Signer = load_key(self.house.config.key)
        self.path = folder / "none"

    def write(self, name: str, asked: Asked | None = None, **given: Any) -> Path:
        path = self.folder / name
        path.unlink(missing_ok=True)
        wanted = pack.Wanted(**{"controls": [CONTROL], **given})
        pack.write(self.house.config.file, wanted, path, asked, lambda _: None)
        return path

    def files(self) -> Files:
        with zipfile.ZipFile(self.path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def checkpoint(self, size: int) -> str:
        kept = Path(self.house.config.lake.uri) / "log" / "checkpoints" / f"{size:020}"
        return kept.read_text()


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """With a pack of one control."""
    made = Packed(tmp_path_factory.mktemp("packed"))
    made.path = made.write("one.zip")
    return made


@pytest.fixture(scope="module")
def middle(packed: Packed) -> Path:
    """A pack of that control as of an earlier seal."""
    return packed.write("middle.zip", Asked(size=packed.sizes[1]))


def check(packed: Packed, path: Path, *words: object, key: str = "") -> tuple[int, str]:
    """The verifier in this process: its exit code and all it says."""
    out = io.StringIO()
    stdout, stderr, sys.stdout, sys.stderr = sys.stdout, sys.stderr, out, out
    try:
        arguments = [str(path), "--key", key or packed.signer.vkey, *map(str, words)]
        code = verify_pack.main(arguments)
    finally:
        sys.stdout, sys.stderr = stdout, stderr
    return code, out.getvalue()


def archived(files: Files) -> bytes:
    """The zip file that holds these files as a pack does."""
    body, index = b"", b""
    for name in sorted(files):
        entry = verify_pack.Entry(name, len(files[name]), zlib.crc32(files[name]))
        index += verify_pack.index_entry(entry, len(body))
        body += verify_pack.local_header(entry) + files[name]
    return body + index + verify_pack.index_end(len(files), len(index), len(body))


def packed_again(path: Path, files: Files, **given: Any) -> Path:
    """A zip file as a pack is written, of other files; or by `zipfile`, with its own ways."""
    if not given:
        path.write_bytes(archived(files))
        return path
    with zipfile.ZipFile(path, "w", given.get("method", zipfile.ZIP_STORED)) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, given.get("when", WHEN))
            entry.external_attr, entry.create_system = given.get("mode", verify_pack.MODE), 3
            archive.writestr(entry, files[name], given.get("method", zipfile.ZIP_STORED))
    return path


def resigned(files: Files, signer: Signer, **changes: Any) -> Files:
    """The same pack with a manifest that fits and is signed: what a holder of the key could do."""
    statement = json.loads(files["manifest.json"])
    statement["predicate"] |= changes
    statement["subject"] = [
        {"name": name, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}
        for name, content in sorted(files.items()) if name not in verify_pack.UNLISTED
    ]  # fmt: skip
    signed = canonical(statement)
    envelope = signer.envelope(verify_pack.PAYLOAD_TYPE, signed)
    return files | {"manifest.json": signed, "manifest.dsse": canonical(envelope)}


def lines(content: bytes) -> list[Any]:
    return [json.loads(line) for line in content.splitlines()]


def joined(values: list[Any]) -> bytes:
    return b"".join(canonical(value) + b"\n" for value in values)


def test_a_pack_holds_and_says_what_it_does_not_show(packed: Packed) -> None:
    code, told = check(packed, packed.path)
    assert code == 0, told
    assert "ok      the items are the population" in told
    assert "NOT checked" in told
    assert "NOT compared with a checkpoint of your own" in told
    rows = lines(packed.files()["items.jsonl"])
    roles = [row["role"] for row in rows]
    assert roles.count("item") > 4
    assert roles.count("pull") == 4, "how the items were asked for comes with them"
    assert roles.count("mapping") == 1


def test_the_same_inputs_give_the_same_bytes_whatever_landed_since(
    packed: Packed, middle: Path
) -> None:
    packed.house.clock.now += timedelta(days=3)
    packed.house.land()
    packed.house.new_overrides()
    packed.house.follow(seconds=60)
    again = packed.write("again.zip", Asked(size=packed.sizes[1]))
    assert again.read_bytes() == middle.read_bytes()


def alone(packed: Packed, paths: Iterable[Path], folder: Path) -> list[tuple[int, str]]:
    """Each pack checked by the program that it holds, in an empty folder and environment, with
    nothing of this house but `cryptography`."""
    site = Path(cryptography.__file__).parents[1]
    for found in (*site.glob("cryptography"), *site.glob("_cffi_backend*"), *site.glob("cffi")):
        (folder / found.name).symlink_to(found)
    start = f"import sys, runpy; sys.path.append({str(folder)!r}); " \
            "runpy.run_path('check.py', run_name='__main__')"  # fmt: skip
    told = []
    for path in paths:
        elsewhere = folder / path.stem
        elsewhere.mkdir()
        with zipfile.ZipFile(path) as archive:
            (elsewhere / "check.py").write_bytes(archive.read("verify_pack.py"))
        (elsewhere / "one.zip").write_bytes(path.read_bytes())
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", start, "one.zip", "--key", packed.signer.vkey],
            cwd=elsewhere, capture_output=True, text=True, env={}, check=False,
        )  # fmt: skip
        assert {one.name for one in elsewhere.iterdir()} == {"check.py", "one.zip"}
        told.append((done.returncode, done.stdout + done.stderr))
    return told


def test_it_runs_alone_with_nothing_but_cryptography(packed: Packed, tmp_path: Path) -> None:
    ((code, told),) = alone(packed, [packed.path], tmp_path)
    assert code == 0, told
    assert "ok      the manifest is signed" in told


def test_it_needs_no_python_newer_than_39_and_no_other_library() -> None:
    tree = ast.parse(PROGRAM.read_text(), feature_version=(3, 9))
    imported = {
        (node.module if isinstance(node, ast.ImportFrom) else name.name).split(".")[0]
        for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }  # fmt: skip
    assert imported <= {*sys.stdlib_module_names, "cryptography"}
    assert "match" not in {type(node).__name__.lower() for node in ast.walk(tree)}
    assert "strict=" not in PROGRAM.read_text(), "it came with 3.10"


def test_without_the_library_it_says_which(packed: Packed) -> None:
    start = f"import runpy; runpy.run_path({str(PROGRAM)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", start, str(packed.path), "--key", packed.signer.vkey],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2, "missing the library is missing: python -m pip install cryptography\n",
    )  # fmt: skip


def test_zipfile_itself_writes_the_same_pack(packed: Packed, tmp_path: Path) -> None:
    again = packed_again(tmp_path / "again.zip", packed.files(), method=zipfile.ZIP_STORED)
    assert again.read_bytes() == packed.path.read_bytes()


def test_any_changed_byte_of_the_file_shows(packed: Packed, tmp_path: Path) -> None:
    whole = bytearray(packed.path.read_bytes())
    index = whole.index(b"PK\1\2")
    sampled = range(0, index, max(1, index // 100))
    for at in (*sampled, *range(index, len(whole), 5)):
        whole[at] ^= 0x01
        (tmp_path / "bent.zip").write_bytes(whole)
        whole[at] ^= 0x01
        code, told = check(packed, tmp_path / "bent.zip")
        assert code == 1, f"byte {at}: {told}"
        assert told.startswith("WRONG   "), told
        assert told.count("\n") == 1


def _row(files: Files, change: Callable[[dict[str, Any]], None]) -> Files:
    rows = lines(files["items.jsonl"])
    change(next(row for row in rows if row["role"] == "item")["row"])
    return files | {"items.jsonl": joined(rows)}


def _title(row: dict[str, Any]) -> None:
    row["title"] += " (reviewed)"


def _payload(row: dict[str, Any]) -> None:
    row["payload"] = row["payload"].replace("change", "harmless")


def _payload_and_digest(row: dict[str, Any]) -> None:
    _payload(row)
    row["content_sha256"] = hashlib.sha256(row["payload"].encode()).hexdigest()


def _wholly(row: dict[str, Any]) -> None:
    _payload_and_digest(row)
    identity = {key: row[key] for key in verify_pack.IDENTITY}
    row["item_id"] = hashlib.sha256(verify_pack.canonical(identity)).hexdigest()


def _drop(files: Files, proofs_too: bool = True) -> Files:
    rows, proofs = lines(files["items.jsonl"]), lines(files["proofs.jsonl"])
    at = next(n for n, row in enumerate(rows) if row["role"] == "item")
    del rows[at]
    if proofs_too:
        del proofs[at]
    return files | {"items.jsonl": joined(rows), "proofs.jsonl": joined(proofs)}


def _twice(files: Files) -> Files:
    rows, proofs = lines(files["items.jsonl"]), lines(files["proofs.jsonl"])
    return files | {
        "items.jsonl": joined([*rows, rows[-1]]), "proofs.jsonl": joined([*proofs, proofs[-1]]),
    }  # fmt: skip


def _swapped_proofs(files: Files) -> Files:
    proofs = lines(files["proofs.jsonl"])
    proofs[0]["path"], proofs[1]["path"] = proofs[1]["path"], proofs[0]["path"]
    return files | {"proofs.jsonl": joined(proofs)}


def _other_mapping(files: Files) -> Files:
    return files | {"mapping.json": files["mapping.json"].replace(b"P7D", b"P9D", 1)}


BENT: dict[str, tuple[Callable[[Files], Files], str]] = {
    "title": (lambda f: _row(f, _title), "is not leaf"),
    "payload": (lambda f: _row(f, _payload), "does not have the digest beside it"),
    "digest": (lambda f: _row(f, _payload_and_digest), "is not the digest of its content"),
    "wholly": (lambda f: _row(f, _wholly), "is not that of item"),
    "dropped": (_drop, "a row before it was taken out"),
    "unproved": (lambda f: _drop(f, proofs_too=False), "is not that of item"),
    "twice": (_twice, "comes twice"),
    "swapped": (_swapped_proofs, "is not leaf"),
    "mapping": (_other_mapping, "mapping.json is not the mapping that the manifest names"),
}


@pytest.mark.parametrize("how", BENT)
def test_even_the_holder_of_the_key_cannot_bend_what_is_sealed(
    packed: Packed, tmp_path: Path, how: str
) -> None:
    bend, says = BENT[how]
    path = packed_again(tmp_path / "bent.zip", resigned(bend(packed.files()), packed.signer))
    code, told = check(packed, path)
    assert code == 1
    assert says in told
    unsigned = packed_again(tmp_path / "unsigned.zip", bend(packed.files()))
    assert "it was changed" in check(packed, unsigned)[1]


def test_items_of_another_pack_are_not_this_population(
    packed: Packed, middle: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(middle) as archive:
        names = ("items.jsonl", "proofs.jsonl", "checkpoint.note")
        stranger = {name: archive.read(name) for name in names}
    files = packed.files() | stranger
    code, told = check(packed, packed_again(tmp_path / "mixed.zip", files))
    assert (code, "was changed" in told) == (1, True)
    told = check(packed, packed_again(tmp_path / "m2.zip", resigned(files, packed.signer)))[1]
    assert "checkpoint.note is not the checkpoint that the manifest names" in told


def test_another_key_and_a_key_that_is_none(packed: Packed, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "key", origin=packed.signer.origin)
    code, told = check(packed, packed.path, key=stranger)
    assert code == 1
    assert "the pack is not signed by the key" in told
    assert check(packed, packed.path, key="a+b+c")[0] == 2
    assert check(packed, tmp_path / "gone.zip")[0] == 2
    forged = packed_again(tmp_path / "f.zip", resigned(packed.files(), load_key(tmp_path / "key")))
    assert check(packed, forged)[0] == 1


def hostile(files: Files) -> Iterator[tuple[str, Files, dict[str, Any], str]]:
    yield "traversal", files | {"../../etc/passwd": b"x"}, {}, "no pack does"
    yield "absolute", files | {"/etc/passwd": b"x"}, {}, "no pack does"
    yield "folder", files | {"a/b.txt": b"x"}, {}, "no pack does"
    yield "bomb", files | {"bomb.txt": bytes(30_000_000)}, {"method": zipfile.ZIP_DEFLATED}, \
        "compressed"  # fmt: skip
    yield "link", files, {"mode": 0o120777 << 16}, "packed again"
    yield "dated", files, {"when": (2026, 1, 1, 0, 0, 0)}, "packed again"
    yield "extra", files | {"more.txt": b"x"}, {}, "not in its manifest"
    yield "many", files | {f"{'x' * n}.txt": b"" for n in range(1, 41)} | {
        f"{'y' * n}.csv": b"" for n in range(1, 41)} | {f"{'z' * n}.py": b"" for n in range(1, 41)
    }, {}, "no pack does"  # fmt: skip
    yield "less", {n: c for n, c in files.items() if n != "vkey.txt"}, {}, "vkey.txt is missing"
    yield "unsigned", {n: c for n, c in files.items() if n != "manifest.dsse"}, {}, "is missing"


def test_hostile_zip_files_are_refused_in_one_line(packed: Packed, tmp_path: Path) -> None:
    for name, files, given, says in hostile(packed.files()):
        code, told = check(packed, packed_again(tmp_path / f"{name}.zip", files, **given))
        assert code == 1, name
        assert says in told, f"{name}: {told}"
        assert told.count("\n") == 1


def test_bytes_beside_and_names_twice_are_refused(packed: Packed, tmp_path: Path) -> None:
    whole = packed.path.read_bytes()
    for name, content in {
        "before": b"#!/bin/sh\n" + whole, "after": whole + b"more", "cut": whole[:-10],
        "empty": b"PK", "half": whole[: len(whole) // 2],
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert check(packed, tmp_path / name)[0] == 1, name
    with zipfile.ZipFile(tmp_path / "twice", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile itself warns of what we do on purpose
        for _ in range(2):
            entry = zipfile.ZipInfo("README.txt", WHEN)
            entry.external_attr, entry.create_system = verify_pack.MODE, 3
            archive.writestr(entry, b"x")
    assert "README.txt twice" in check(packed, tmp_path / "twice")[1]


@pytest.mark.parametrize("size", [2**32 - 1, 2**32 - 2, 900_000_000])
def test_sizes_that_are_not_there_are_not_believed(
    packed: Packed, tmp_path: Path, size: int
) -> None:
    """Neither read nor allotted: in the list at the end each file claims what none has."""
    content = bytearray(packed.path.read_bytes())
    at = content.index(b"PK\1\2")
    content[at + 20 : at + 28] = struct.pack("<2L", size, size)
    (tmp_path / "claims").write_bytes(content)
    code, told = check(packed, tmp_path / "claims")
    assert (code, told.count("\n")) == (1, 1)


def test_files_that_share_their_bytes_are_refused_unread(packed: Packed, tmp_path: Path) -> None:
    content = bytes(30_000_000)
    with zipfile.ZipFile(tmp_path / "shared", "w") as archive:
        archive.writestr("a.txt", content)
        for number in range(1, 30):
            entry = copy.copy(archive.infolist()[0])
            entry.filename = entry.orig_filename = f"{'a' * number}b.txt"
            archive.filelist.append(entry)
    code, told = check(packed, tmp_path / "shared")
    assert code == 1
    assert "larger than the pack" in told


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"a":1,"a":1}', "stands there twice"),
        (b'{"a":NaN}', "NaN does not occur"),
        (b'{"a":1e400}', "does not occur"),
        (b'{"a":' + b"9" * 5000 + b"}", "too large"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"b":1, "a":1}', "not written canonically"),
        (b'{"a":"\\ud800"}', "not the JSON of a pack"),
        (b"\xff", "not the JSON of a pack"),
        (b"{}", "not shaped like a pack"),
    ],
    ids=["twice", "nan", "huge", "long", "deep", "loose", "surrogate", "bytes", "empty"],
)
def test_hostile_json_is_refused_even_when_it_is_signed(
    packed: Packed, tmp_path: Path, line: bytes, says: str
) -> None:
    files = packed.files()
    files["items.jsonl"] = line + b"\n" + files["items.jsonl"].split(b"\n", 1)[1]
    path = packed_again(tmp_path / "bent.zip", resigned(files, packed.signer))
    code, told = check(packed, path)
    assert code == 1
    assert says in told
    assert told.count("\n") == 1


def test_an_own_checkpoint_is_compared(packed: Packed, middle: Path, tmp_path: Path) -> None:
    old, new, path = packed.sizes[0], packed.sizes[2], middle
    for size in (old, new, packed.sizes[1]):
        (tmp_path / f"{size}.note").write_text(packed.checkpoint(size))
    same = check(packed, path, "--checkpoint", tmp_path / f"{packed.sizes[1]}.note")
    assert (same[0], "is the same checkpoint" in same[1]) == (0, True)
    for size in (old, new):
        own = ("--checkpoint", tmp_path / f"{size}.note")
        code, told = check(packed, path, *own)
        assert (code, "headwater proof --since" in told) == (2, True)
        since, until = sorted((size, packed.sizes[1]))
        out = tmp_path / f"{since}-{until}.proof"
        proof.write(packed.house.config.file, "", since, until, out, lambda _: None)
        code, told = check(packed, path, *own, "--consistency", out)
        assert code == 0, told
        assert f"continues that of {since}" in told
        bent = out.read_text().split("\n")
        bent[1] = base64.b64encode(bytes(32)).decode()
        out.write_text("\n".join(bent))
        assert check(packed, path, *own, "--consistency", out)[0] == 1


def test_a_checkpoint_of_another_history_is_two_histories(
    packed: Packed, middle: Path, tmp_path: Path
) -> None:
    seal = parse_note(packed.checkpoint(packed.sizes[1]), what="it")
    forked = packed.signer.sign(seal.size, bytes(32), seal.chain)
    (tmp_path / "fork.note").write_text(forked.text)
    code, told = check(packed, middle, "--checkpoint", tmp_path / "fork.note")
    assert (code, "two histories" in told) == (1, True)


def test_one_proof_is_checked_by_the_same_program(packed: Packed, tmp_path: Path) -> None:
    item = lines(packed.files()["items.jsonl"])[0]["row"]["item_id"]
    out = tmp_path / "item.proof"
    proof.write(packed.house.config.file, item[:12], 0, 0, out, lambda _: None)
    code, told = check(packed, out)
    assert code == 0, told
    assert f"ok      item {item} is leaf" in told
    text = out.read_text()
    for at in range(0, text.index("\n\n"), 40):
        sign = "A" if text[at] != "A" else "B"
        out.write_text(text[:at] + sign + text[at + 1 :])
        code, told = check(packed, out)
        assert (code, told.count("\n")) == (1, 1), told


def test_what_is_left_out_is_counted(packed: Packed) -> None:
    path = packed.write("narrow.zip", systems=["churn"])
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    told = manifest["predicate"]
    others = told["left_out"]["items_of_these_controls_of_other_systems_kinds_or_times"]
    assert others + told["counts"]["item"] > 3
    assert told["counts"]["item"] > 0
    assert others > 0
    code, told = check(packed, path)
    assert code == 0, told
    assert f"left out, by the signer's own count: {others} items" in told


def test_that_a_pack_was_handed_out_is_evidence(packed: Packed) -> None:
    with packed.house.judge(None).moment.connect(packed.house.lake) as connection:
        rows = connection.execute(
            "SELECT payload->>'$.facts.scope.controls[0]' FROM evidence "
            "WHERE kind = 'headwater.action' AND subject = 'pack'"
        ).fetchall()
    assert rows[0] == (f"iso42001:{CONTROL}",)


def test_mistakes_are_named(packed: Packed, tmp_path: Path) -> None:
    file, quiet = packed.house.config.file, lambda _: None
    with pytest.raises(ConfigError, match="none of the catalogue's"):
        pack.write(file, pack.Wanted(["A.99"]), tmp_path / "x.zip", None, quiet)
    wanted = pack.Wanted([CONTROL], systems=["ghost"])
    with pytest.raises(ConfigError, match="no system of that time"):
        pack.write(file, wanted, tmp_path / "x.zip", None, quiet)
    with pytest.raises(LakeError, match="there already"):
        pack.write(file, pack.Wanted([CONTROL]), packed.path, None, quiet)
    with pytest.raises(ConfigError, match="or --since"):
        proof.write(file, "", 0, 0, tmp_path / "p", quiet)
