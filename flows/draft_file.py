"""A draft for people to fill in: printed, or written to a file that was not there."""

from __future__ import annotations

from pathlib import Path

from evidence.errors import ConfigError


def hand_over(text: str, output: Path | None, told: str) -> int:
    """Print the draft, or write it to a new file and say so; 0. Raises ConfigError."""
    if output is None:
        print(text, end="")
        return 0
    try:
        with output.open("x", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from error
    print(f"written {output}: {told}")
    return 0
