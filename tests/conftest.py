"""Numeric tests run at every instruction-set level that the machine has."""

from collections.abc import Iterator

import pytest

from fastloss import kernels


@pytest.fixture(params=kernels.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Losses made while the fixture is alive use the level."""
    with kernels.use_level(request.param):
        yield request.param
