"""A pack's file: a signed manifest over files in one zip that is written whole or not at all."""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from evidence.canonical import canonical
from evidence.errors import LakeError
from storage import verify_pack
from storage.keys import Signer
from storage.pack import Step
from storage.schema import EVIDENCE
from storage.verify_pack import Entry, csv_cells, csv_line

FORM = verify_pack.PACK
PREDICATE = "urn:headwater:pack:2"
_CHUNK = 1 << 20
_MAKING = "making-"
_PARQUET = pa.schema([*EVIDENCE, ("role", pa.string()), ("leaf_index", pa.int64())])


class Folder:
    """The files of a pack while they are made: beside the pack, gone when it is written or not."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, name: str, content: bytes) -> None:
        """A whole file."""
        (self.path / name).write_bytes(content)

    def put_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same rows as NAME.json and as NAME.csv."""
        self.put(f"{name}.json", canonical(list(rows)))
        self.put(f"{name}.csv", b"".join(_csv(rows)))

    def put_lines(self, name: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """The same rows as NAME.jsonl and as NAME.csv, as they come; how many there were."""
        number, names = 0, list[str]()
        with self._new(f"{name}.jsonl") as lines, self._new(f"{name}.csv") as sheet:
            for number, row in enumerate(rows, 1):
                lines.write(canonical(row) + b"\n")
                names = names or list(row)
                sheet.write((csv_line(names) if number == 1 else b"") + _line(row, names))
        return number

    def put_steps(self, steps: Iterable[Step]) -> Iterator[int]:
        """items.jsonl, proofs.jsonl, evidence.csv and .parquet, as the rows come; yields how many
        more there are."""
        with (
            self._new("items.jsonl") as items, self._new("proofs.jsonl") as proofs,
            self._new("evidence.csv") as sheet,
            pq.ParquetWriter(self.path / "evidence.parquet", _PARQUET, compression="zstd") as table,
        ):  # fmt: skip
            sheet.write(csv_line(verify_pack.CSV_COLUMNS))
            for step in steps:
                items.writelines(canonical(item) + b"\n" for item in step.items)
                proofs.writelines(canonical(proof) + b"\n" for proof in step.proofs)
                sheet.writelines(csv_line(csv_cells(item)) for item in step.items)
                table.write_table(step.rows.cast(_PARQUET))
                yield len(step.items)

    def _new(self, name: str) -> IO[bytes]:
        return (self.path / name).open("xb")

    def listed(self) -> list[tuple[Entry, str]]:
        """Every file with its SHA-256, by name."""
        return [_measured(path) for path in sorted(self.path.iterdir(), key=lambda p: p.name)]


@contextmanager
def folder_for(output: Path) -> Iterator[Folder]:
    """A folder beside the output for its parts, held by a lock while its process lives; those that
    killed ones have left are deleted. Raises LakeError for a file that is there."""
    if output.exists():
        raise _there(output)
    prefix = f".{output.name}.{_MAKING}"
    try:
        for left in output.parent.iterdir():
            if left.name.startswith(prefix):
                _delete_if_left(left)
        with TemporaryDirectory(prefix=prefix, dir=output.parent) as made, _held(Path(made)):
            yield Folder(Path(made))
    except OSError as error:
        raise LakeError(f"{output} cannot be written: {error.strerror or error}") from error


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Raises OSError where another process has it."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(number)


def _delete_if_left(folder: Path) -> None:
    """Delete what no living process holds; what cannot be deleted stands in nobody's way."""
    with suppress(OSError), _held(folder):
        rmtree(folder)


def write_pack(output: Path, folder: Folder, predicate: Mapping[str, Any], signer: Signer) -> str:
    """Write the pack of the folder's files, with its signed manifest; returns its SHA-256.

    The same files, predicate and key give the same bytes: names sorted, times fixed, nothing
    compressed (whoever checks it need not fear what it unpacks to). Raises LakeError, OSError.
    """
    subject = [{"name": e.name, "digest": {"sha256": told}} for e, told in folder.listed()]
    told: dict[str, Any] = {
        "_type": verify_pack.STATEMENT, "subject": subject, "predicateType": PREDICATE,
        "predicate": {**predicate, "form": FORM},
    }  # fmt: skip
    statement = canonical(told)
    folder.put("manifest.json", statement)
    folder.put("manifest.dsse", canonical(signer.envelope(verify_pack.PAYLOAD_TYPE, statement)))
    whole = folder.path / "whole"
    digest = _archive(whole, folder)
    try:
        os.link(whole, output)  # unlike a renaming, it replaces nothing
    except FileExistsError as error:
        raise _there(output) from error
    return digest


def verifier() -> bytes:
    """The program that checks a pack, as it lies in this version of Headwater."""
    return Path(verify_pack.__file__).read_bytes()


def _there(output: Path) -> LakeError:
    return LakeError(f"{output} is there already: a pack is not written over")


def _measured(path: Path) -> tuple[Entry, str]:
    crc, size, digest = 0, 0, sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            digest.update(chunk)
    return Entry(path.name, size, crc), digest.hexdigest()


def _archive(whole: Path, folder: Folder) -> str:
    """Write the zip file, forced to disk; its SHA-256."""
    entries = [entry for entry, _ in folder.listed()]
    digest, index, at = sha256(), b"", 0
    with whole.open("xb") as out:

        def write(content: bytes) -> None:
            digest.update(content)
            out.write(content)

        for entry in entries:
            header = verify_pack.local_header(entry)
            write(header)
            with (folder.path / entry.name).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    write(chunk)
            (folder.path / entry.name).unlink()  # or the disk had to hold everything twice
            index += verify_pack.index_entry(entry, at)
            at += len(header) + entry.size
        write(index + verify_pack.index_end(len(entries), len(index), at))
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _csv(rows: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    if names:
        yield csv_line(names)
    yield from (_line(row, names) for row in rows)


def _line(row: Mapping[str, Any], names: Sequence[str]) -> bytes:
    values = (row.get(name) for name in names)
    return csv_line("" if value is None else value for value in values)
