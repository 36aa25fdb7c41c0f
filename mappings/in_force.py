"""The mapping in force: catalogue, rules and overrides as one document, which judges again later.

A verdict depends on it as much as on the evidence. As a document it can land in the lake, be read
back years later, and give the same tags and the same expectations.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from evidence.canonical import canonical, digest
from evidence.errors import MappingError
from mappings.catalogue import Catalogue, catalogue_trees, read_catalogue
from mappings.frameworks import Framework
from mappings.limits import within_limits
from mappings.nodes import Node
from mappings.overrides import Override, read_override
from mappings.read_frameworks import framework_trees, read_frameworks
from mappings.read_rules import read_rules, rule_trees
from mappings.rules import RULES, RuleSet, rule_set

FORM = "headwater.mapping/1"


@dataclass(frozen=True, slots=True)
class InForce:
    """What an organisation judges by. `digest` is the SHA-256 of the document's canonical bytes.

    `document` has the keys form, mapping_digest (that of the rules, which tags carry), catalogue
    (name → file), rules and frameworks (file, page) and overrides. Documents of before frameworks
    came have none.
    """

    catalogue: Catalogue
    rules: RuleSet
    overrides: tuple[Override, ...]
    frameworks: Mapping[str, Framework]
    digest: str
    document: Mapping[str, Any] = field(repr=False, compare=False)


@lru_cache(maxsize=8)
def mapping_in_force(
    folders: tuple[Path, ...] = (RULES,),
    overrides: tuple[Override, ...] = (),
    frameworks: tuple[Path, ...] = (),
) -> InForce:
    """The mapping of the shipped catalogue, the rules in these folders, these overrides, and the
    shipped frameworks with what lies in folders of one's own.

    Read once. Raises MappingError naming file and line.
    """
    trees, pages = catalogue_trees(), rule_trees(folders)
    catalogue = read_catalogue(trees)
    read, written = read_rules(pages, catalogue)
    within_limits(read)
    rules = rule_set(read, written, catalogue)
    others = framework_trees(frameworks)
    # A document has no lines: what is wrong must be said here, while it is known where.
    read_frameworks(others, catalogue)
    catalogue.changes(overrides)
    document = {
        "form": FORM,
        "mapping_digest": rules.digest,
        "catalogue": {name: tree.plain() for name, tree in trees.items()},
        "rules": _named(pages),
        "frameworks": _named(others),
        "overrides": [override.written() for override in overrides],
    }
    # Read back even here: what is judged today must be exactly what can be read tomorrow.
    return read_document(canonical(document).decode())


@lru_cache(maxsize=8)
def read_document(text: str) -> InForce:
    """The mapping that a document's canonical text tells. Raises MappingError.

    A document that today's code reads otherwise than the code that wrote it is refused.
    """
    try:
        document = json.loads(text)
        if document["form"] != FORM:
            raise MappingError(f"has form {document['form']!r}; this Headwater reads {FORM}")
        catalogue = read_catalogue(
            {name: Node.of(tree, f"{name}.yaml") for name, tree in document["catalogue"].items()}
        )
        pages = _trees(document["rules"])
        rules = rule_set(*read_rules(pages, catalogue), catalogue)
        frameworks = read_frameworks(_trees(document.get("frameworks", [])), catalogue)
        overrides = tuple(read_override(written) for written in document["overrides"])
        told = document["mapping_digest"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MappingError(f"the mapping document cannot be read: {error!r}") from error
    if rules.digest != told:
        raise MappingError(
            f"the mapping document says digest {told}, but this Headwater reads {rules.digest} in "
            "it: use the version of Headwater that wrote it (`code_version` of its record)"
        )
    return InForce(catalogue, rules, overrides, frameworks, digest(document), document)


def _named(pages: Iterable[Node]) -> list[dict[str, Any]]:
    """Only the file's name: where it lay on a machine would change the digest."""
    return [{"file": Path(page.file).name, "page": page.plain()} for page in pages]


def _trees(entries: Iterable[Mapping[str, Any]]) -> list[Node]:
    return [Node.of(entry["page"], entry["file"]) for entry in entries]
