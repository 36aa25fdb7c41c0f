"""YAML from strangers: one document, no aliases, no double keys, dates kept as written."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class Unreadable(ValueError):
    """A file that cannot be read as it is; `line` is 1-based, 0 where it is not known."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {why}" if line else why)
        self.line = line


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own way of setting this)
        first: [(tag, pattern) for tag, pattern in rules if tag != _TIMESTAMP]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {  # noqa: RUF012
        tag: make for tag, make in yaml.SafeLoader.yaml_constructors.items() if tag != _TIMESTAMP
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuses aliases, with which a few bytes can stand for gigabytes."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not read", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuses a key that stands twice: one of the two values would be lost."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key.value!r} stands twice", key.start_mark
                )
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


@dataclass(frozen=True, slots=True)
class Lines:
    """Where a mapping and its fields begin, as 1-based lines; 0 where it is not known."""

    line: int = 0
    names: Mapping[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        """The line of a field."""
        return self.names.get(name, self.line)


def load(text: str, *, first_line: int = 1) -> tuple[Any, Lines, dict[int, Lines]]:
    """The value, and where it and each entry of its `records` stand. Raises Unreadable."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        value = loader.construct_document(node) if node is not None else None
        return value, _lines(node, first_line), _record_lines(node, first_line)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + first_line if error.problem_mark else 0
        raise Unreadable(error.problem or "is not YAML", line) from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(f"is not YAML that can be read: {type(error).__name__}") from error


def _lines(node: yaml.Node | None, first_line: int) -> Lines:
    if node is None:
        return Lines()
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    names = {str(getattr(key, "value", "")): key.start_mark.line + first_line for key, _ in pairs}
    return Lines(node.start_mark.line + first_line, names)


def _record_lines(node: yaml.Node | None, first_line: int) -> dict[int, Lines]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if getattr(key, "value", None) == "records" and isinstance(value, yaml.SequenceNode):
                return {n: _lines(entry, first_line) for n, entry in enumerate(value.value)}
    return {}
