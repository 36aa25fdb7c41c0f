"""What a label says by our convention: which model version a ticket or change is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MODEL = re.compile(r"model:([^:\s]+):([^:\s]+)")


def models(labels: Sequence[str]) -> list[dict[str, str]]:
    """The model versions that labels such as `model:churn:3` name."""
    found = (_MODEL.fullmatch(label) for label in labels)
    return [{"name": match[1], "version": match[2]} for match in found if match]
