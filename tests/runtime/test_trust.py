"""Native code and sources that lie in a bundle are bytes to be counted until the bundle is trusted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import compiler, library, load, trust
from edgepde_runtime.__main__ import commands, main
from edgepde_runtime.bundle import read
from edgepde_runtime.errors import BackendError
from hypothesis import given
from hypothesis import strategies as st
from support import c99

EVIL = """
#include <stdio.h>
__attribute__((constructor)) static void evil(void) {{
    FILE *f = fopen("{mark}", "w");
    if (f) fclose(f);
}}
"""
X = np.zeros((1, 2), np.float32)


def evil_bundle(root: Path, mark: Path, ship: bool) -> Path:
    """A bundle whose library, or whose sources once compiled, write `mark` as soon as they are loaded."""
    if compiler.find() is None:
        pytest.skip("no C compiler to make the library with")
    bundle = c99.mlp_bundle(root)
    source = (bundle / "c99/toy.c").read_bytes() + EVIL.format(mark=mark).encode()
    c99.put(bundle, "c99/toy.c", source)
    if ship:
        made = library.build(bundle / "c99", root.parent / "evil.so").path
        c99.put(bundle, f"lib/{compiler.host_triple()}/libtoy.so", made.read_bytes())
    python = f"open({str(mark)!r}, 'w')".encode()
    for name in ("__init__.py", "sitecustomize.py", "numpy.py"):
        c99.put(bundle, name, python)
    c99.put(bundle, "c99/Makefile", f"all:\n\ttouch {mark}\n".encode())
    return bundle


@pytest.mark.parametrize("ship", [True, False])
def test_no_verb_runs_code_of_a_bundle_that_is_not_trusted(tmp_path: Path, ship: bool) -> None:
    mark = tmp_path / "mark"
    bundle = str(evil_bundle(tmp_path / "b", mark, ship))
    np.savez(tmp_path / "in.npz", x=X)
    files = ["--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]
    plain = {
        "verify": [bundle, "--seconds", "0.02"],
        "run": [bundle, *files],
        "bench": [bundle, "--seconds", "0.02"],
        "inspect": [bundle],
        "doctor": [],
        "drift": [bundle, "--state", str(tmp_path / "drift.json"), *files[:2]],
    }
    assert sorted(plain) == commands()
    for verb, words in plain.items():
        assert main([verb, *words]) == 0
    for verb in ("verify", "run"):
        assert main([verb, *plain[verb], "--backend", "c99"]) == 2
        assert main([verb, *plain[verb], "--backend", "reference"]) == 0
    command = [sys.executable, "-m", "edgepde_runtime", "inspect", bundle]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert load(bundle)(X).shape == (1, 1)
    with pytest.raises(BackendError, match=r"--trust \(trust=True\) allows it"):
        load(bundle, "c99")
    assert not mark.exists()
    # The code does what it is made for, so that the test above can fail.
    assert load(bundle, trust=True).backend == "c99"
    assert mark.exists()


@pytest.mark.parametrize("verb", ["verify", "run", "bench"])
def test_trust_is_for_every_verb_that_computes(tmp_path: Path, verb: str) -> None:
    mark = tmp_path / "mark"
    bundle = evil_bundle(tmp_path / "b", mark, True)
    np.savez(tmp_path / "in.npz", x=X)
    files = ["--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]
    more = files if verb == "run" else ["--seconds", "0.02"]
    assert main([verb, str(bundle), *more, "--trust"]) == 0
    assert mark.exists()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own; the path of its folder edgepde, which is not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "edgepde"


ID = "0123456789abcdef" * 4


def test_what_was_written_here_is_known(cache: Path) -> None:
    assert not trust.known(ID)
    assert not cache.exists()
    assert trust.remember(ID)
    assert trust.remember(ID)
    assert trust.known(ID)
    assert not trust.known("f" * 64)
    assert (cache.stat().st_mode & 0o777, (cache / "written").stat().st_mode & 0o777) == (0o700, 0o700)


def test_an_altered_bundle_is_not_the_one_that_was_written(cache: Path, tmp_path: Path) -> None:
    bundle = c99.mlp_bundle(tmp_path / "b")
    trust.remember(read(bundle).id)
    assert trust.known(read(bundle).id)
    c99.put(bundle, "c99/toy.c", b"int changed;\n")
    assert not trust.known(read(bundle).id)
    assert cache.is_dir()


@pytest.mark.parametrize("part", [".", "written", f"written/{ID}"])
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o720])
def test_a_cache_that_others_may_write_is_not_believed(cache: Path, part: str, mode: int) -> None:
    trust.remember(ID)
    (cache / part).chmod(mode)
    assert not trust.known(ID)
    (cache / part).chmod(0o700)
    assert trust.known(ID)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("part", [".", "written", f"written/{ID}"])
def test_a_cache_of_someone_else_is_not_believed(cache: Path, part: str) -> None:
    trust.remember(ID)
    os.chown(cache / part, 65534, 65534)
    assert not trust.known(ID)
    assert "belongs to user 65534" in str(trust.why_not(cache / part))


@pytest.mark.parametrize("part", [".", "written", f"written/{ID}"])
def test_a_link_in_the_cache_is_not_followed(cache: Path, part: str, tmp_path: Path) -> None:
    trust.remember(ID)
    shutil.move(cache / part, tmp_path / "elsewhere")
    (cache / part).symlink_to(tmp_path / "elsewhere")
    assert not trust.known(ID)


def of_someone_else(status: os.stat_result) -> os.stat_result:
    """The same file, given away."""
    return os.stat_result((*status[:4], status.st_uid + 1, *status[5:]))


def kept_library() -> Path:
    """A library in the cache, which is found there."""
    path = trust.keep(ID, "x86_64-linux-gnu", "0" * 16)
    assert path is not None
    path.write_bytes(b"library")
    path.chmod(0o600)
    assert trust.kept(ID, "x86_64-linux-gnu", None) == b"library"
    return path


def test_an_id_of_someone_else_is_not_believed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust.remember(ID)
    lstat, entry = os.lstat, cache / "written" / ID
    monkeypatch.setattr(os, "lstat", lambda p: of_someone_else(lstat(p)) if p == entry else lstat(p))
    assert not trust.known(ID)
    assert not trust.remember(ID)


def test_a_library_of_someone_else_is_not_believed(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_library()
    fstat = os.fstat
    monkeypatch.setattr(os, "fstat", lambda descriptor: of_someone_else(fstat(descriptor)))
    assert trust.kept(ID, "x86_64-linux-gnu", None) is None
    assert trust.kept(ID, "x86_64-linux-gnu", "0" * 16) is None
    assert cache.is_dir()


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_library_that_others_may_write_is_not_believed(cache: Path, mode: int) -> None:
    kept_library().chmod(mode)
    assert trust.kept(ID, "x86_64-linux-gnu", None) is None
    assert cache.is_dir()


def test_a_library_is_not_read_above_the_largest(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept_library()
    monkeypatch.setattr(trust, "LARGEST_LIBRARY", len(b"library"))
    assert trust.kept(ID, "x86_64-linux-gnu", None) == b"library"
    monkeypatch.setattr(trust, "LARGEST_LIBRARY", len(b"library") - 1)
    assert trust.kept(ID, "x86_64-linux-gnu", None) is None
    assert cache.is_dir()


def test_a_link_in_place_of_a_library_is_not_followed(cache: Path, tmp_path: Path) -> None:
    path = kept_library()
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert path.read_bytes() == b"library"
    assert trust.kept(ID, "x86_64-linux-gnu", None) is None
    assert cache.is_dir()


def test_a_link_in_place_of_an_id_leads_nowhere(cache: Path, tmp_path: Path) -> None:
    trust.remember("f" * 64)
    (cache / "written" / ID).symlink_to(tmp_path / "elsewhere")
    assert not trust.remember(ID)
    assert not (tmp_path / "elsewhere").exists()


def test_a_cache_that_cannot_be_made_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert not trust.remember(ID)
    assert trust.keep(ID, "x86_64-linux-gnu", "0" * 16) is None
    assert trust.kept(ID, "x86_64-linux-gnu", None) is None
    assert trust.libraries() == 0


def test_the_folder_follows_the_desktop_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert trust.folder() == tmp_path / ".cache" / "edgepde"


@given(st.text(max_size=70) | st.sampled_from(["../x", "a" * 63, "A" * 64, "0" * 64 + "\n"]))
def test_only_hashes_are_remembered(text: str) -> None:
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        assert not trust.remember(text)
        assert not trust.known(text)
