"""What all tests of collectors share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any
from unittest import mock

import botocore.session
import pytest
from botocore.loaders import create_loader


@pytest.fixture(scope="session", autouse=True)
def one_reading_of_aws() -> Iterator[None]:
    """botocore's descriptions of services are read once a process, not once a session of AWS: that
    was a quarter of the time of these tests."""

    @cache
    def shared(paths: str | None = None) -> Any:
        return create_loader(paths)

    with mock.patch.object(botocore.session, "create_loader", shared):
        yield
