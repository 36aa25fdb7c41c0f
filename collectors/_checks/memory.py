"""What the collector of check results remembers: files, suites, and these at their strictest."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from evidence.errors import SourceBroken
from evidence.model import Cursor
from evidence.snapshot import Snapshot

FORM = "checks/1"


@dataclass(frozen=True, slots=True)
class Memory:
    """`read` maps a file to the run that it told of and a digest of its bytes; `strict` a suite to
    its checks, as `_weakened.finding` keeps them; `newest` a project to when its suites were told.
    """

    read: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    seen: Snapshot = field(default_factory=lambda: Snapshot({}))
    strict: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    newest: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor | None) -> Memory:
        """From a cursor written by `cursor()`; None is the empty memory. Raises SourceBroken."""
        if cursor is None:
            return cls()
        try:
            kept = json.loads(cursor.value)
            if kept["form"] != FORM:
                raise ValueError(f"form {kept['form']!r}")
            told = json.loads(zlib.decompress(base64.b64decode(kept["kept"], validate=True)))
            read = {str(path): (str(run), str(print_)) for path, (run, print_) in told[0].items()}
            seen = {str(key): str(value) for key, value in told[1].items()}
            strict = {str(suite): dict(checks) for suite, checks in told[2].items()}
            return cls(read, Snapshot(seen), strict, dict(told[3]))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, zlib.error) as error:
            raise SourceBroken(f"the cursor is no bookmark of {FORM}: {error}") from error

    def cursor(self) -> Cursor:
        """The bookmark for the next pull; packed, as names of checks repeat themselves."""
        kept = [dict(self.read), dict(self.seen.seen), dict(self.strict), dict(self.newest)]
        plain = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        packed = base64.b64encode(zlib.compress(plain.encode())).decode()
        return Cursor(json.dumps({"form": FORM, "kept": packed}))
