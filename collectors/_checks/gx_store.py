"""Where a Great Expectations project keeps its results and its suites."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from collectors._aws import clients, s3
from collectors._checks.places import BucketPlace, FolderPlace, Place
from collectors._checks.tables import open_table
from collectors._disk import reading
from evidence.errors import SourceBroken, SourceRefused
from evidence.secret import Secret

CONFIG = "great_expectations.yml"
BUCKET, TABLE = "s3://", "table:"
_ON_DISK = "TupleFilesystemStoreBackend"
# By which keys the project names each of its stores, how it is named and where it lies otherwise.
_STORES = {
    "results": (
        ("validation_results_store_name", "validations_store_name"),
        "validation_results_store", "uncommitted/validations",
    ),
    "suites": (("expectations_store_name",), "expectations_store", "expectations"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens a bucket (`access` in `region`) and a database (an SQLAlchemy URL)."""

    access: clients.Access
    region: str
    database: Secret | None


@dataclass(frozen=True, slots=True)
class Store:
    """The two stores; without `suites` only results can be read."""

    results: Place
    suites: Place | None

    def places(self) -> list[Place]:
        """Both, or the one there is."""
        return [place for place in (self.results, self.suites) if place is not None]

    def identity(self) -> str:
        """As whom they are read."""
        return ", ".join(dict.fromkeys(place.identity() for place in self.places()))

    def __str__(self) -> str:
        return ", ".join(str(place) for place in self.places())

    def close(self) -> None:
        """Lets go of both."""
        for place in self.places():
            place.close()


def open_store(folder: Path | None, results: str, suites: str, keys: Keys) -> Store:
    """The stores as told (`s3://bucket/prefix`, `table:name`), else those of the project.

    `folder` is a project's, the one around its `gx/`, or a bare folder of results. Raises
    SourceRefused when there is none of these, SourceBusy when one does not answer.
    """
    told = {name: _place(where, keys) for name, where in (("results", results), ("suites", suites))}
    root = project(folder) if folder is not None else None
    if root is not None:
        config = _config(root)
        for name in (name for name, place in told.items() if place is None):
            told[name] = FolderPlace(root / _base(config, name))
    elif folder is not None and told["results"] is None:
        told["results"] = _bare(folder)
    if told["results"] is None:
        raise SourceRefused("nothing says where results lie; give `folder` or `results`")
    return Store(told["results"], told["suites"])


def _place(where: str, keys: Keys) -> Place | None:
    if where.startswith(TABLE):
        if keys.database is None:
            raise SourceRefused(f"{where}: give `database`, the URL of the database it lies in")
        return open_table(keys.database, where.removeprefix(TABLE))
    if not where.startswith(BUCKET):
        return None
    name, _, prefix = where.removeprefix(BUCKET).partition("/")
    session = keys.access.session(keys.region)
    client = s3.s3_client(session, keys.region, keys.access.endpoint_url)
    who = clients.identity(session, keys.access.profile)
    who += f" of {keys.access.role}" if keys.access.role else ""
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return BucketPlace(s3.Bucket(client, name), prefix, who)


def project(folder: Path) -> Path | None:
    """Where the project's file lies, None if there is none."""
    for root in (folder, folder / "gx"):
        with reading(root / CONFIG):
            if os.path.lexists(root / CONFIG):
                return root
    return None


def _bare(folder: Path) -> Place:
    with reading(folder):
        os.listdir(folder)
    place = FolderPlace(folder)
    if not place.listing().prints:
        raise SourceRefused(f"{folder}: neither {CONFIG} nor a *.json below it; give the gx folder")
    return place


def _config(root: Path) -> Mapping[str, Any]:
    with reading(root / CONFIG):
        raw = (root / CONFIG).read_bytes()
    try:
        config = yaml.safe_load(raw)
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceBroken(f"{root / CONFIG} is not YAML: {error}") from error
    return config if isinstance(config, Mapping) else {}


def _base(config: Mapping[str, Any], which: str) -> str:
    """The folder of a store, from the project's own. Raises SourceRefused where it is none."""
    keys, name, default = _STORES[which]
    name = next((config[key] for key in keys if config.get(key)), name)
    node: Any = config
    for key in ("stores", name, "store_backend"):
        node = node.get(key) if isinstance(node, Mapping) else None
    if not isinstance(node, Mapping):
        return default
    folder = node.get("base_directory", default)
    if node.get("class_name", _ON_DISK) != _ON_DISK:
        where = f'`{which} = "s3://bucket/prefix"`, or `"table:name"` with `database`'
        raise SourceRefused(f"store {name} is no folder ({node['class_name']}): give {where}")
    if not isinstance(folder, str) or "$" in folder:
        raise SourceRefused(f"store {name}: base_directory {folder!r} is no plain path")
    return folder
