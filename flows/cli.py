"""The one console script: its verbs, and how an error ends."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Any

import typer

from evidence.errors import ConfigError, HeadwaterError, VerificationFailed
from flows.terminal import printable
from flows.verbs import (
    access,
    audit,
    documents,
    draft,
    keep,
    look,
    prove,
    registers,
    say,
    suggest,
    tell,
    work,
)  # fmt: skip

TELEMETRY_OFF = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "AWS_EC2_METADATA_DISABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}

app = typer.Typer(
    name="headwater", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Keep ISO/IEC 42001 evidence collected, tagged, provable and fresh.",
)  # fmt: skip

_VERBS = (
    work, registers, look, audit, documents, access, tell, prove, keep, say, suggest, draft,
)  # fmt: skip
for verbs in _VERBS:
    app.add_typer(verbs.verbs)


def main() -> None:
    """Run a verb; a known error is one clear message and exit code 1, 2 for configuration."""
    gc.set_threshold(50_000, 10, 10)  # imports leave no garbage, and it was looked for in vain
    _same_rooms()
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except ConfigError as error:
        _complain(error.mistakes, 2)
    except VerificationFailed as error:
        _complain(error.findings, 1)
    except HeadwaterError as error:
        _complain((str(error),), 1)


def _complain(sentences: tuple[str, ...], code: int) -> None:
    for sentence in sentences:
        typer.echo(f"headwater: {printable(sentence)}", err=True)
    sys.exit(code)


def _same_rooms() -> None:
    """Another package called `storage` or `flows` on the path would be run in our name."""
    import importlib.util

    home = Path(__file__).resolve().parent.parent
    for room in ("collectors", "dashboards", "evidence", "flows", "mappings", "storage"):
        spec: Any = importlib.util.find_spec(room)
        where = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if where != home:
            sys.exit(f"headwater: the package {room!r} comes from {where}, not from {home}")


if __name__ == "__main__":
    main()
