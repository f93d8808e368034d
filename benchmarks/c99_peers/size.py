"""Bytes of code on a Cortex-M7 at -Os, weights apart: ours, emx-onnx-cgen's, onnx2c's where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import torch
from _harness import OURS, Row

from c99_peers import emx
from c99_peers.networks import Workload, onnx_file
from c99_peers.ours import Ours

TOOL = "arm-none-eabi-"
CORE = ("-mthumb", "-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-sp-d16", "-Os", "-ffunction-sections")
STRICT = ("-ffp-contract=off", "-fno-math-errno", "-ffreestanding")
TARGET = 1500.0
SINE_NET = 8276.0


def rows(net: torch.nn.Sequential, asked: Workload, ours: Ours, folder: Path) -> list[Row]:
    """One row per tool."""
    case = f"code of {asked.words}, float32, -Os, Cortex-M7"
    if shutil.which(f"{TOOL}gcc") is None:
        return [Row(case, OURS, "bytes", None, TARGET, note=f"no {TOOL}gcc here")]
    made = [_ours(case, asked, ours, folder)]
    text = emx.source(net, asked, 1, folder)
    made.append(Row(case, "emx", "bytes", float(_object(text, ["-std=gnu11"], folder)), note="its own object"))
    linked = _linked(text, ["-std=gnu11"], text.stem, folder)
    made.append(Row(case, "emx with libm's tanhf", "bytes", float(linked), note="linked, unused sections dropped"))
    made.append(_onnx2c(case, net, asked, folder))
    made.append(
        Row(case, "onnx2c's sine net", "bytes", SINE_NET, note="as its README says, Cortex-M4, a smaller network")
    )
    return made


def _ours(case: str, asked: Workload, ours: Ours, folder: Path) -> Row:
    if ours.missing:
        return Row(case, OURS, "bytes", None, TARGET, note=ours.missing)
    include = [f"-I{ours.sources}", f"-I{ours.sources / 'kernels'}"]
    found = _object(ours.sources / f"{asked.name}.c", ["-std=c99", *STRICT, *include], folder)
    return Row(case, OURS, "bytes", float(found), TARGET, note="run and check; nothing but memcpy is linked")


def _onnx2c(case: str, net: torch.nn.Sequential, asked: Workload, folder: Path) -> Row:
    tool = shutil.which("onnx2c")
    if tool is None:
        return Row(case, "onnx2c", "bytes", None, note="no onnx2c on PATH; it is built from source with protobuf")
    model = onnx_file(net, asked, 1, folder / f"{asked.name}_1.onnx")
    text = folder / f"onnx2c_{asked.name}.c"
    with text.open("w", encoding="utf-8") as out:
        subprocess.run([tool, str(model)], check=True, stdout=out)
    return Row(case, "onnx2c", "bytes", float(_object(text, ["-std=gnu11"], folder)), note="its own object")


def _object(text: Path, flags: Sequence[str], folder: Path) -> int:
    out = folder / f"{text.stem}.m7.o"
    subprocess.run([f"{TOOL}gcc", *CORE, *flags, "-c", str(text), "-o", str(out)], check=True)
    return code_bytes(out)


def _linked(text: Path, flags: Sequence[str], entry: str, folder: Path) -> int:
    out = folder / f"{text.stem}.m7.elf"
    link = ["-nostartfiles", "--specs=nosys.specs", f"-Wl,-e,{entry}", "-Wl,--gc-sections", "-lm"]
    subprocess.run([f"{TOOL}gcc", *CORE, *flags, str(text), "-o", str(out), *link], check=True)
    return code_bytes(out)


def code_bytes(file: Path) -> int:
    """The sum of all .text sections."""
    table = subprocess.run([f"{TOOL}size", "-A", str(file)], check=True, capture_output=True, text=True).stdout
    return sum(int(line.split()[1]) for line in table.splitlines() if line.startswith(".text"))
