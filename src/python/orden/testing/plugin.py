"""The pytest plugin: the fixture `orden_broker`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orden.testing import Broker


@pytest.fixture
def orden_broker() -> Iterator[Broker]:
    """A broker in memory, of this test's own; `orden_broker.address` is where it listens."""
    with Broker() as broker:
        yield broker
