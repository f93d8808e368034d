"""Which backend "auto" takes where a bundle has C code of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import FallbackWarning, compiler, load, trust
from edgepde_runtime.bundle import read
from edgepde_runtime.choose import NOT_TRUSTED
from edgepde_runtime.errors import BackendError, CompilerError
from support import c99

X = np.array([[0.5, 0.25], [-0.75, 1.0], [1.0, 0.0]], dtype=np.float32)
HERE = compiler.host_triple()


class TestAuto:
    """auto takes c99 where it is trusted and can be had, and never fails because of it."""

    def test_trusted_and_there(self, tmp_path: Path) -> None:
        bundle = c99.mlp_bundle(tmp_path / "b")
        model = load(bundle)
        assert (model.backend != "c99", model.note, model.fell_back) == (True, NOT_TRUSTED, False)
        model = load(bundle, trust=True)
        assert (model.backend, model.note) == ("c99", "")
        assert trust.remember(read(bundle).id)
        assert load(bundle).backend == "c99"
        assert load(bundle, "c99").backend == "c99"

    def test_no_compiler(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setattr(compiler, "has_zig", lambda: False)
        bundle = c99.mlp_bundle(tmp_path / "b", seed=21)
        with pytest.warns(FallbackWarning, match=r"no C compiler found; .*; taking (ort|reference)$"):
            model = load(bundle, trust=True)
        assert model.backend in {"ort", "reference"}
        assert np.isfinite(model(X)).all()
        with pytest.raises(CompilerError, match="no C compiler found"):
            load(bundle, "c99", trust=True)

    @pytest.mark.parametrize("text", ["exit 1", "echo 'cc: error: broken' >&2; exit 4", "kill -9 $$"])
    def test_a_broken_compiler(self, tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        broken = tmp_path / "cc"
        broken.write_text(f"#!/bin/sh\n{text}\n")
        broken.chmod(0o755)
        monkeypatch.setenv("CC", str(broken))
        bundle = c99.mlp_bundle(tmp_path / "b", seed=22)
        with pytest.warns(FallbackWarning, match="c99/ does not compile: .*/cc: "):
            assert load(bundle, trust=True).backend in {"ort", "reference"}

    def test_a_wrong_cc(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CC", "no-such-cc")
        with pytest.warns(FallbackWarning, match="CC='no-such-cc': there is no such compiler; taking"):
            load(c99.mlp_bundle(tmp_path / "b", seed=23), trust=True)

    def test_a_bad_library(self, tmp_path: Path) -> None:
        bundle = c99.mlp_bundle(tmp_path / "b")
        c99.put(bundle, f"lib/{HERE}/libtoy.so", b"nothing")
        with pytest.warns(FallbackWarning, match="expected a shared library"):
            assert load(bundle, trust=True).backend in {"ort", "reference"}

    def test_a_certificate_that_does_not_cover_it(self, tmp_path: Path) -> None:
        bundle = c99.mlp_bundle(tmp_path / "b", backends=("ort", "reference"))
        for trusted in (True, False):
            model = load(bundle, trust=trusted)
            assert (model.backend in {"ort", "reference"}, model.note) == (True, "")
        assert load(bundle, "c99", trust=True).call(X).error_bound["u"]["value"] is None

    def test_a_bundle_without_code(self, mlp: Path) -> None:
        assert load(mlp, trust=True).backend in {"ort", "reference"}
        with pytest.raises(BackendError, match="this bundle has no c99/"):
            load(mlp, "c99", trust=True)
