"""Every target in turn; the generated C of every model, compiled once per target."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import models
from support.targets import Program, Target, build
from support.targets.fixtures import target
from support.targets.programs import Source

__all__ = ["target"]

Builder = Callable[[Source, Target], Program]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """The models by name."""
    return {source.name: source for source in models.sources(tmp_path_factory.mktemp("generated"))}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """A model's program for a target."""
    known: dict[tuple[str, str], Program] = {}

    def found(source: Source, kind: Target) -> Program:
        key = (source.name, kind.name)
        if key not in known:
            folder = tmp_path_factory.mktemp(f"{source.name}-{kind}")
            level = models.level(source.name, kind.optimise)
            known[key] = build(kind, source.sources, folder, includes=source.includes, optimise=level)
        return known[key]

    return found
