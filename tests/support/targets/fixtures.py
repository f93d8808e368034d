"""The fixture `target`: every target of IDENTITY in turn."""

from __future__ import annotations

import pytest
from support.targets.build import BuildFailed, RunFailed, build, run
from support.targets.present import require
from support.targets.programs import SELF_TEST
from support.targets.table import IDENTITY
from support.targets.target import Target


@pytest.fixture(scope="session", params=IDENTITY, ids=str)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Target:
    """A target that is here and whose fused multiply-add rounds once; skipped where it is not here."""
    found: Target = request.param
    require(found)
    try:
        run(build(found, [SELF_TEST], tmp_path_factory.mktemp("selftest")))
    except (BuildFailed, RunFailed) as error:
        pytest.fail(f"the self-test of the arithmetic fails on {found}: {error}", pytrace=False)
    return found
