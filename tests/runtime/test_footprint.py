"""What object files hold: sizes by kind, symbols, and that a file of any bytes is read or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgepde_runtime import footprint
from edgepde_runtime.elf import read
from edgepde_runtime.errors import ObjectFileError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.elf_writer import ALLOC, COMMON, EXEC, NOBITS, WRITE, Name, Part, object_file
from support.refusal import only_refused

PARTS = [
    Part(".text", ALLOC | EXEC, b"x" * 40),
    Part(".rodata", ALLOC, b"x" * 24),
    Part(".data.rel.ro.local", ALLOC | WRITE, b"x" * 16),
    Part(".data", ALLOC | WRITE, b"x" * 8),
    Part(".bss", ALLOC | WRITE, kind=NOBITS, size=1000),
    Part(".eh_frame", ALLOC, b"x" * 32),
    Part(".comment", 0, b"x" * 20),
]
SYMBOLS = [
    Name("model_run", 1, 40),
    Name("weights", 2, 24, local=True),
    Name("pointers", 3, 16, local=True),
    Name("$d", 4, local=True),
    Name("counter", 4, 8, local=True),
    Name("memcpy"),
    Name("helper"),
]


@pytest.fixture(params=[32, 64])
def bits(request: pytest.FixtureRequest) -> int:
    """Both classes of files."""
    return int(request.param)


@pytest.fixture
def model(tmp_path: Path, bits: int) -> Path:
    """An object with something of everything."""
    path = tmp_path / "model.o"
    path.write_bytes(object_file(PARTS, SYMBOLS, bits=bits))
    return path


def test_sizes_by_kind(model: Path) -> None:
    assert footprint.sizes([model]) == footprint.Sizes(code=40, constants=40, written=1008)
    assert footprint.sizes([model, model]) == footprint.Sizes(code=80, constants=80, written=2016)
    assert footprint.text_bytes([model]) == 40


def test_what_one_object_defines_another_may_use(model: Path, tmp_path: Path, bits: int) -> None:
    helper, hidden = tmp_path / "helper.o", tmp_path / "hidden.o"
    helper.write_bytes(object_file(PARTS, [Name("helper", 1, 8), Name("model_run")], bits=bits))
    hidden.write_bytes(object_file(PARTS, [Name("helper", 1, 8, local=True)], bits=bits))
    assert footprint.undefined_symbols([model]) == {"memcpy", "helper"}
    assert footprint.undefined_symbols([model, helper]) == {"memcpy"}
    assert footprint.undefined_symbols([model, hidden]) == {"memcpy", "helper"}


def test_writable_data_is_named_by_variable_or_section(model: Path, tmp_path: Path, bits: int) -> None:
    common = tmp_path / "common.o"
    common.write_bytes(object_file(PARTS[:2], [Name("tentative", COMMON, 4)], bits=bits))
    assert list(footprint.writable_symbols([model])) == [".bss", "counter"]
    assert list(footprint.writable_symbols([common])) == ["tentative"]
    assert footprint.sizes([common]).written == 4


def test_an_empty_section_is_not_writable_data(tmp_path: Path) -> None:
    path = tmp_path / "empty.o"
    path.write_bytes(object_file([Part(".data", ALLOC | WRITE), Part(".bss", ALLOC | WRITE, kind=NOBITS)], []))
    assert list(footprint.writable_symbols([path])) == []


def test_symbols_know_their_section(model: Path) -> None:
    homes = {symbol.name: symbol.section.name if symbol.section else None for symbol in read(model).symbols}
    assert homes["weights"] == ".rodata"
    assert homes["memcpy"] is None


@pytest.mark.parametrize(
    ("at", "value", "field"),
    [
        (0, b"MZ", "its start"),
        (4, b"\3", "class and byte order"),
        (5, b"\2", "class and byte order"),
        (40, b"\xff" * 8, "section headers"),
        (58, b"\1\0", "section headers"),
        (60, b"\0\0", "section headers"),
        (60, b"\xff\xff", "section headers"),
        (62, b"\xff\xff", "section names: section"),
    ],
)
def test_a_wrong_header_is_refused_by_field(tmp_path: Path, at: int, value: bytes, field: str) -> None:
    path = tmp_path / "wrong.o"
    data = object_file(PARTS, SYMBOLS)
    path.write_bytes(data[:at] + value + data[at + len(value) :])
    with pytest.raises(ObjectFileError, match=f"wrong.o: {field}: expected"):
        read(path)


def test_a_cut_file_is_refused(model: Path) -> None:
    whole = model.read_bytes()
    for length in range(0, len(whole), 7):
        model.write_bytes(whole[:length])
        with pytest.raises(ObjectFileError, match=r"model\.o: "):
            read(model)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.o", tmp_path):
        with pytest.raises(ObjectFileError, match=path.name):
            read(path)


@given(data=st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_altered_bytes_are_read_or_refused(model: Path, bits: int, data: st.DataObject) -> None:
    altered = bytearray(object_file(PARTS, SYMBOLS, bits=bits))
    for _ in range(data.draw(st.integers(1, 4))):
        altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    path = model.with_name("altered.o")
    path.write_bytes(altered)
    with only_refused(str(path), ObjectFileError):
        footprint.sizes([path])
        footprint.undefined_symbols([path])
        footprint.writable_symbols([path])
