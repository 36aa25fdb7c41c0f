"""Secrets that lie in Prefect: blocks of type Secret, read when the configuration is."""

from __future__ import annotations

from typing import Any

from evidence.errors import ConfigError
from evidence.secret import Secret


def block_secret(name: str) -> Secret:
    """The text in the Secret block of this name. Raises ConfigError without repeating it."""
    from prefect.blocks import system

    kind: Any = system.Secret
    try:
        block = kind.load(name, _sync=True)
    except ValueError as error:
        raise ConfigError(
            f"Prefect has no Secret block {name!r}: make one, or see that PREFECT_API_URL names "
            "the server that has it"
        ) from error
    except Exception as error:  # noqa: BLE001  whatever keeps the server from answering
        why = type(error).__name__
        raise ConfigError(f"Prefect does not give its Secret block {name!r}: {why}") from None
    # Not get(), which reads "0123" as JSON: the text is the secret, sign by sign.
    value = block.value.get_secret_value()
    if not isinstance(value, str) or not value:
        raise ConfigError(f"the Secret block {name!r} holds no text")
    return Secret(value)
