"""Values of a TOML file: each taken by its type, or put on the list of mistakes."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from evidence.errors import ConfigError
from evidence.secret import Secret
from evidence.times import duration
from flows.config_tables import table_of, tables_of

T = TypeVar("T")

GIVEN = frozenset({"source", "clock", "window"})
SOURCE = "source "
"""What the place of a source's setting begins with."""
PATHS = frozenset({"roots", "folder", "repository", "public_keys"})


@dataclass(slots=True)
class Values:
    """Collects mistakes while it reads, so that one run shows them all; `lacking` are secrets of
    sources that are not there, which only those who pull that source need."""

    file: Path
    environment: Mapping[str, str]
    mistakes: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)

    def table(self, raw: Mapping[str, Any], key: str, known: tuple[str, ...]) -> dict[str, Any]:
        """The table of this name, empty if it is left out; keys that nobody knows are mistakes."""
        table = raw.get(key, {})
        if not isinstance(table, dict):
            self.mistakes.append(f"{self.file}: {key} must be a table: write [{key}]")
            return {}
        self.unknown(f"[{key}] ", table, known)
        return table

    def unknown(self, where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """A mistake for each key that is not known, with the one that was probably meant."""
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                self.mistakes.append(f"{self.file}: {where}unknown key {key!r}; {hint}")

    def text(self, table: Mapping[str, Any], where: str, key: str, default: str) -> str:
        """A text, or the default."""
        value = table.get(key, default)
        if isinstance(value, str):
            return value
        self.mistakes.append(f"{self.file}: [{where}] {key} must be text, not {value!r}")
        return default

    def given(self, table: Mapping[str, Any], where: str, key: str, hint: Any, default: Any) -> Any:
        """A value of the type `hint`, or the default."""
        if key not in table:
            return default
        value = self.typed(f"[{where}] {key}", hint, table[key])
        return default if value is None else value

    def path(self, text: str) -> Path:
        """A path, taken from the folder of the file."""
        try:
            return (self.file.parent / Path(text).expanduser()).resolve()
        except (ValueError, RuntimeError, OSError) as error:
            self.mistakes.append(f"{self.file}: {text!r} is no path: {error}")
            return self.file.parent

    def settings(self, where: str, cls: type, given: Mapping[str, Any]) -> dict[str, Any]:
        """What `cls` is given for its fields; what lacks or nobody knows is a mistake."""
        hints = get_type_hints(cls)
        fields = {f.name: f for f in dataclasses.fields(cls) if f.init and f.name not in GIVEN}
        self.unknown(f"{where}: ", given, tuple(fields))
        settings = {}
        for name, spec in fields.items():
            if name in given:
                settings[name] = self._value(f"{where}: {name}", hints[name], name, given[name])
            elif _required(spec):
                self.mistakes.append(f"{self.file}: {where}: {name} is missing")
        return settings

    def _value(self, where: str, hint: Any, name: str, value: object) -> object:
        if Secret in get_args(hint) and get_origin(hint) is Mapping:
            return self._secrets(where, value)
        if hint is Secret or Secret in get_args(hint):
            return self.secret(where, value)
        if name in PATHS and isinstance(value, str) and value:
            path = self.path(value)
            return path if Path in (hint, *getattr(hint, "__args__", ())) else str(path)
        if (inner := table_of(hint)) is not None:
            return self._inner(where, inner, value)
        if (inner := tables_of(hint)) is not None:
            return self._inners(where, inner, value)
        return self.typed(where, hint, value)

    def _secrets(self, where: str, value: object) -> object:
        """Secrets by name."""
        if not isinstance(value, dict):
            self.mistakes.append(f'{self.file}: {where} must be a table: {{ NAME = "env:NAME" }}')
            return {}
        return {name: self.secret(f"{where}.{name}", one) for name, one in value.items()}

    def _inner(self, where: str, cls: type, value: object) -> object:
        """A table within a source's own; what its class refuses is told with its place."""
        if not isinstance(value, dict):
            self.mistakes.append(f"{self.file}: {where} must be a table: {{ … }}")
            return None
        before = len(self.mistakes)
        settings = self.settings(where, cls, value)
        if len(self.mistakes) > before:
            return None
        try:
            return cls(**settings)
        except ConfigError as error:
            self.mistakes += [f"{self.file}: {where}: {mistake}" for mistake in error.mistakes]
            return None

    def _inners(self, where: str, cls: type, value: object) -> object:
        if not isinstance(value, list):
            name = where.rpartition(": ")[2]
            self.mistakes.append(f"{self.file}: {where} must be tables: [[source.{name}]]")
            return ()
        named = (
            one.get("name", n) if isinstance(one, dict) else n for n, one in enumerate(value, 1)
        )
        made = [
            self._inner(f"{where} {name}", cls, one) for name, one in zip(named, value, strict=True)
        ]
        return tuple(one for one in made if one is not None)

    def typed(self, where: str, hint: Any, value: object) -> object:
        """The value as the type `hint`; None, and a mistake, if it is none."""
        from pydantic import ConfigDict, TypeAdapter, ValidationError

        try:
            if hint is timedelta and isinstance(value, str):
                return duration(value)
            adapter = TypeAdapter(hint, config=ConfigDict(strict=not _loose(hint)))
            return adapter.validate_python(value)
        except ValidationError as error:
            why = "; ".join(e["msg"] for e in error.errors(include_input=False))
            why = why.replace("a valid tuple", 'a list, such as ["one", "two"]')
            self.mistakes.append(f"{self.file}: {where}: {why}")
        except ValueError as error:
            self.mistakes.append(f"{self.file}: {where}: {error}")
        return None

    def secret(self, where: str, value: object) -> Secret:
        """A secret from where the file points to: it never stands in the file itself."""
        text = value if isinstance(value, str) else ""
        kind, _, rest = text.partition(":")
        if kind == "env" and rest:
            if rest not in self.environment:
                return self._lacks(where, f"set the environment variable {rest}")
            return Secret(self.environment[rest])
        if kind == "file" and rest:
            try:
                return Secret(self.path(rest).read_text().strip())
            except (OSError, UnicodeDecodeError) as error:
                return self._lacks(where, f"{rest} cannot be read: {error}")
        if kind == "prefect" and rest:
            return self._of_prefect(where, rest)
        # The value itself is not repeated: it may be the very secret that must not be shown.
        self.mistakes.append(
            f'{self.file}: {where}: no secrets in this file; write "env:NAME", "file:PATH" or '
            '"prefect:BLOCK"'
        )
        return Secret("")

    def _of_prefect(self, where: str, name: str) -> Secret:
        from flows.prefect_secret import block_secret

        try:
            return block_secret(name)
        except ConfigError as error:
            return self._lacks(where, str(error))

    def _lacks(self, where: str, why: str) -> Secret:
        if where.startswith(SOURCE):
            self.lacking.append(f"{where}: {why}")
            return Secret("unset")  # some collectors take no empty one; it is never sent
        self.mistakes.append(f"{self.file}: {where}: {why}")
        return Secret("")

    def single(self, raw: Mapping[str, Any], name: str, cls: type[T]) -> T | None:
        """The one table of this name as its dataclass; None if it is left out or wrong."""
        if name not in raw:
            return None
        if not isinstance(raw[name], dict):
            self.mistakes.append(f"{self.file}: {name} must be a table: write [{name}]")
            return None
        return self.built(f"[{name}]", cls, raw[name])

    def built(self, where: str, cls: type[T], given: Mapping[str, Any]) -> T | None:
        """The dataclass from its table, None if there is a mistake in it."""
        before = len(self.mistakes)
        settings = self.settings(where, cls, given)
        if len(self.mistakes) > before:
            return None
        try:
            return cls(**settings)
        except ConfigError as error:
            self.mistakes += [f"{self.file}: {mistake}" for mistake in error.mistakes]
            return None


def _required(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _loose(hint: Any) -> bool:
    """TOML has lists and dates; tuples and times are made from them, text from nothing else."""
    return "tuple" in str(hint) or "date" in str(hint) or "Mapping" in str(hint)


def resolve(uses: str) -> type:
    """The collector's class of `uses = "module:Class"`. Raises ConfigError."""
    module, _, name = uses.partition(":")
    try:
        held = importlib.import_module(module)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"uses = {uses!r} cannot be loaded: {error}") from error
    found = getattr(held, name, None)
    if found is None:
        meant = next(
            (n for n in vars(held) if n.lower() == name.lower() and _collects(n, held)), ""
        )
        hint = f"; did you mean {meant!r}?" if meant else ""
        raise ConfigError(f"uses = {uses!r}: {module} has nothing called {name!r}{hint}")
    if not _collects(name, held):
        raise ConfigError(f"uses = {uses!r} is no collector: a frozen dataclass with collect()")
    return cast(type, found)


def _collects(name: str, module: ModuleType) -> bool:
    found = getattr(module, name)
    return dataclasses.is_dataclass(found) and isinstance(found, type) and hasattr(found, "collect")
