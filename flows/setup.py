"""Make a new home: configuration, signing key, empty lake. What is there already stays."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from evidence.errors import ConfigError
from flows.config import FILE, Config, load, now
from flows.config_reader import usual_origin
from flows.starters import starter_set
from storage.actions import act
from storage.keys import make_key
from storage.lake import Lake
from storage.place_local import LocalPlace
from storage.redaction_key import make_redaction_key

STARTER = """\
# Headwater's configuration. Paths are relative to this file; docs/config.md explains every key.

[organisation]
name = {name}

[lake]
path = {lake}

[ledger]
key = "keys/ledger.key"           # signs what landed: keep it off the machines that collect
witness = "witness/checkpoint"    # a copy of the last seal, outside the lake: better elsewhere
origin = {origin} # signs under this: it stays when the organisation is renamed

[redaction]
key = "keys/redaction.key"        # salts what is hidden at landing: keep it as long as the lake

[freshness]
schedule = "*/30 * * * *"

# One table a source. `headwater check` tells every mistake at once.
# [[source]]
# name = "registers"
# uses = "collectors.git_registers:GitRegisters"
# schedule = "0 * * * *"
# repository = "../governance"
"""


SOURCE = """
[[source]]
name = "registers"
uses = "collectors.git_registers:GitRegisters"
schedule = "0 * * * *"
repository = {repository}
"""


def initialise(
    folder: Path, name: str, lake: str = "lake", registers: Path | None = None
) -> Iterator[str]:
    """Write what is missing in `folder`, and in `registers` a starter set, if it is given.

    Yields one line for each thing done or kept. Raises ConfigError, LakeError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made a folder: {error.strerror}") from error
    file = folder / FILE
    if file.exists():
        yield f"kept    {file}"
    else:
        LocalPlace(folder).put_new(FILE, _starter(folder, name, lake, registers).encode())
        yield f"written {file}"
    config = load(file)
    yield from prepare(config)
    if registers is not None:
        yield from starter_set(registers)
        yield f"next    in {registers}: fill in, take `draft` out, git init, git add ., git commit"
    else:
        yield f"next    add a [[source]] to {file}"
    yield f"next    headwater check -c {shlex.quote(str(file))}, then collect and status"


def _beside(folder: Path, other: Path) -> str:
    """Relative, so that both can be moved or cloned together."""
    return os.path.relpath(other.resolve(), folder.resolve())


def _starter(folder: Path, name: str, lake: str, registers: Path | None) -> str:
    given = {"name": name, "lake": lake, "repository": _beside(folder, registers or Path())}
    told = {key: json.dumps(text, ensure_ascii=False) for key, text in given.items()}
    origin = json.dumps(usual_origin(name))
    return (STARTER + SOURCE * (registers is not None)).format(**told, origin=origin)


def prepare(config: Config) -> Iterator[str]:
    """Signing key, redaction key and lake, made where they are missing."""
    key, lake, origin = config.key, config.lake, config.origin
    if key.exists():
        yield f"kept    {key}"
    else:
        public = make_key(key, origin=origin)
        yield f"written {key} (its public half, for auditors: {public})"
    if config.redaction_key.exists():
        yield f"kept    {config.redaction_key}"
    else:
        make_redaction_key(config.redaction_key)
        yield f"written {config.redaction_key} (salts what is hidden: keep it as long as the lake)"
    existed = lake.read("lake.json") is not None
    made = Lake.create(lake, clock=now, redactor=config.redactor())
    if not existed:
        act(made, "init", facts={"origin": origin}, title=f"init: a lake for {origin}")
    yield f"{'kept   ' if existed else 'written'} {lake}"
