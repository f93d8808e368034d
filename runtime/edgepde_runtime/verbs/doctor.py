"""edgepde doctor: what is here, what is missing, and how to get it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata

from .. import compiler, machine, render, trust
from ..backends import ort
from ..choose import available, names
from ..errors import CompilerError

SCHEMA_VERSION = 1
_OWN, _OTHER = "backend c99 needs one of cc, gcc, clang, ziglang", "only for --cc and tests"
COMPILERS = {
    **dict.fromkeys(("cc", "gcc", "clang"), _OWN),
    **dict.fromkeys(("arm-none-eabi-gcc", "aarch64-linux-gnu-gcc", "qemu-aarch64-static"), _OTHER),
}
HELP = {
    "c99": compiler.NO_COMPILER,
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


def _kernels() -> tuple[bool, str]:
    there, detail = ort.kernels()
    return there, detail if there else f"function bodies run instead: {detail}"


def doctor() -> DoctorReport:
    """Looks for packages, backends and compilers; loads none but the backends."""
    rows = []
    for package in PACKAGES:
        version = _version(package)
        help_ = HELP.get("ort" if package == "onnxruntime" else package, f"pip install {package}")
        rows.append((package, version is not None, version or help_))
    usable = available()
    for name in names():
        rows.append(_compiled() if name == "c99" else _backend(name, name in usable))
    rows.append(("kernels in ort", *_kernels()))
    for tool, needed in COMPILERS.items():
        path = shutil.which(tool)
        rows.append((tool, path is not None, path or f"your system's package manager has it; {needed}"))
    zig = compiler.has_zig()
    help_ = "for backend c99 and other machines (--cc)" if zig else f"pip install ziglang; {_OWN}; --cc too"
    rows.append(("ziglang", zig, help_))
    rows.append(_cache())
    return DoctorReport(tuple(rows))


def _backend(name: str, there: bool) -> tuple[str, bool, str]:
    return f"backend {name}", there, "" if there else HELP.get(name, "")


def _compiled() -> tuple[str, bool, str]:
    """What would compile a bundle's c99/; it is not run."""
    try:
        found = compiler.find()
    except CompilerError as error:
        return "backend c99", False, str(error)
    if found is None:
        return _backend("c99", False)
    return "backend c99", True, f"compiled with {found.words} for {found.triple}, where the bundle is trusted"


def _cache() -> tuple[str, bool, str]:
    """Whether bundles written here are known, and compiled libraries kept."""
    place = trust.folder()
    why = trust.why_not(place)
    if why is None:
        return "cache", True, f"{place}: {trust.written()} bundles written here, {trust.libraries()} libraries compiled"
    if not place.exists():
        return "cache", False, f"{place}: made with the first bundle that is written here"
    return "cache", False, f"{place} is not believed: {why}"
