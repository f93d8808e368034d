"""edgepde doctor: what is here, what is missing, and how to get it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata

from .. import machine, render
from ..choose import available, names

SCHEMA_VERSION = 1
COMPILERS = ("cc", "gcc", "clang", "arm-none-eabi-gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64-static")
HELP = {
    "ort": 'pip install "edgepde-runtime[ort]"',
    "edgepde": "pip install edgepde (training and compression; not for a device)",
    "torch": "pip install torch, the build for your machine first (not for a device)",
    "onnx": 'pip install "edgepde[export]" (export; not for a device)',
}
PACKAGES = ("edgepde-runtime", "numpy", "onnxruntime", "edgepde", "torch", "onnx")


@dataclass(frozen=True)
class DoctorReport:
    """Rows of what, whether it is there, and in which version or how to get it."""

    rows: tuple[tuple[str, bool, str], ...]

    def as_dict(self) -> dict[str, object]:
        """The JSON document."""
        found = [{"what": what, "found": there, "detail": detail} for what, there, detail in self.rows]
        return {"schema_version": SCHEMA_VERSION, "rows": found, "machine": machine.describe()}

    def table(self) -> str:
        """The machine and what is on it."""
        rows = [(what, "✓ found" if there else "- missing", detail) for what, there, detail in self.rows]
        facts = [
            (name, " ".join(value) if isinstance(value, list) else str(value))
            for name, value in machine.describe().items()
        ]
        return f"{render.table(facts)}\n\n{render.table(rows)}"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def doctor() -> DoctorReport:
    """Looks for packages, backends and compilers; loads none but the backends."""
    rows = []
    for package in PACKAGES:
        version = _version(package)
        help_ = HELP.get("ort" if package == "onnxruntime" else package, f"pip install {package}")
        rows.append((package, version is not None, version or help_))
    usable = available()
    for name in names():
        rows.append((f"backend {name}", name in usable, "" if name in usable else HELP.get(name, "")))
    for compiler in COMPILERS:
        path = shutil.which(compiler)
        rows.append(
            (compiler, path is not None, path or "your system's package manager has it; only for --cc and tests")
        )
    return DoctorReport(tuple(rows))
