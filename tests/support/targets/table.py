"""The targets: IDENTITY is what `make test` runs; RISCV and zig's targets belong to the identity benchmark."""

from __future__ import annotations

import sys

from support.targets.target import HERE, Target

AVX2 = ("-mavx2", "-mfma")
AVX512 = (*("-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma"), "-mprefer-vector-width=512")
HOSTED = ("-fno-trapping-math",)

# 64-bit integers: conversion to and from them, division and (at -Os) shifts are functions on 32-bit ARM.
_AEABI_LONG = frozenset(
    f"__aeabi_{name}"
    for name in (
        *("l2f", "ul2f", "l2d", "ul2d", "f2lz", "f2ulz", "d2lz", "d2ulz"),
        *("ldivmod", "uldivmod", "lmul", "llsl", "llsr", "lasr", "lcmp", "ulcmp"),
    )
)
_AEABI_INT = frozenset(f"__aeabi_{name}" for name in ("idiv", "uidiv", "idivmod", "uidivmod"))
_AEABI_DOUBLE = frozenset(
    f"__aeabi_{name}"
    for name in (
        *("dadd", "dsub", "drsub", "dmul", "ddiv", "d2f", "f2d", "i2d", "ui2d", "d2iz", "d2uiz"),
        *("dcmpeq", "dcmplt", "dcmple", "dcmpge", "dcmpgt", "dcmpun", "cdcmpeq", "cdcmple", "cdrcmple"),
    )
)


def _x86(compiler: str) -> tuple[Target, ...]:
    """The builds of a bundle, and one lane with instructions."""

    def made(isa: str, flags: tuple[str, ...], processor: str = "") -> Target:
        needed = frozenset(processor.split())
        return Target(f"x86_64-{compiler}-{isa}", (compiler,), HOSTED + flags, needs=(compiler,), processor=needed)

    return (
        made("avx512", AVX512, "avx512f avx512dq avx512vl fma"),
        made("avx2", AVX2, "avx2 fma") if compiler == "gcc" else made("avx2", (*AVX2, "-mf16c"), "avx2 fma f16c"),
        made("lane", (*AVX2, "-DEDGEPDE_SCALAR"), "avx2 fma"),
        made("scalar", ()),
    )


def _linux(
    name: str,
    triple: str,
    flags: tuple[str, ...] = (),
    helpers: frozenset[str] = frozenset(),
    compiler: tuple[str, ...] = (),
) -> Target:
    """A Linux target with Debian's cross gcc or another compiler, linked statically, run by qemu."""
    emulator, gcc = f"qemu-{triple.partition('-')[0]}-static", f"{triple}-gcc"
    words = compiler or (gcc,)
    needs = (words[0], gcc, emulator, f"/usr/{triple}/lib/libc.a")
    return Target(name, words, HOSTED + flags, (emulator,), helpers=helpers, needs=needs, link=("-static",))


def _clang(name: str, triple: str, flags: tuple[str, ...] = (), helpers: frozenset[str] = frozenset()) -> Target:
    """The same with clang and the cross gcc's libraries."""
    return _linux(name, triple, flags, helpers, ("clang", f"--target={triple}"))


def _cortex_m7(fpu: str, helpers: frozenset[str]) -> Target:
    """A bare Cortex-M7 on QEMU's mps2-an500."""
    return _bare(f"cortex-m7-{fpu}", "mps2-an500", ("-mcpu=cortex-m7", f"-mfpu={fpu}"), "mps2.ld", helpers)


def _bare(name: str, board: str, core: tuple[str, ...], script: str, helpers: frozenset[str]) -> Target:
    """A bare Cortex-M on one of QEMU's boards, printing through semihosting."""
    machine = ("-M", board, "-display", "none", "-monitor", "none", "-serial", "none")
    console = ("-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out")
    link = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", "-T", str(HERE / script))
    return Target(
        name,
        ("arm-none-eabi-gcc",),
        ("-mthumb", "-mfloat-abi=hard", *core, "-ffunction-sections", "-fdata-sections"),
        ("qemu-system-arm", *machine, *console, "-kernel"),
        optimise="-Os",
        helpers=helpers,
        needs=("arm-none-eabi-gcc", "qemu-system-arm"),
        link=(*link, str(HERE / "cortex_m.c")),
    )


def _zig(name: str, triple: str, cpu: str, emulator: str = "", processor: str = "") -> Target:
    """A musl target of the Python package ziglang; its first program takes most of a minute."""
    runner = (f"qemu-{emulator}-static",) if emulator else ()
    flags = (*("-target", triple, f"-mcpu={cpu}"), *HOSTED)
    needed = frozenset(processor.split())
    compiler = (sys.executable, "-m", "ziglang", "cc")
    return Target(f"zig-{name}", compiler, flags, runner, needs=("python:ziglang", *runner), processor=needed)


GCC_X86, CLANG_X86 = _x86("gcc"), _x86("clang")
AARCH64 = (_linux("aarch64-gcc", "aarch64-linux-gnu"), _clang("aarch64-clang", "aarch64-linux-gnu"))
_ARMHF, _VFPV4 = "arm-linux-gnueabihf", ("-mcpu=cortex-a7", "-mfpu=neon-vfpv4", "-mfloat-abi=hard")
_VFPV3 = ("-march=armv7-a", "-mfpu=vfpv3-d16", "-mfloat-abi=hard")
# Left to itself clang computes on NEON, which takes denormals for zero; gcc does not.
_SCALAR = ("-fno-vectorize", "-fno-slp-vectorize", "-DEDGEPDE_ARM_SCALAR")
CLANG_NEON = _clang("armv7hf-clang-vectorised", _ARMHF, _VFPV4, _AEABI_LONG)
ARMV7 = (
    _linux("armv7hf-gcc-vfpv4", _ARMHF, _VFPV4, _AEABI_LONG),
    _linux("armv7hf-gcc-vfpv3", _ARMHF, _VFPV3, _AEABI_LONG | _AEABI_INT),
    _clang("armv7hf-clang-vfpv4", _ARMHF, (*_VFPV4, *_SCALAR), _AEABI_LONG),
)
CORTEX_M7 = (
    _cortex_m7("fpv5-sp-d16", _AEABI_LONG | _AEABI_DOUBLE),
    _cortex_m7("fpv5-d16", _AEABI_LONG),
)
# gcc and clang give loops of floats to its vector unit, which takes denormals for zero.
CORTEX_M55 = _bare("cortex-m55", "mps3-an547", ("-mcpu=cortex-m55",), "mps3.ld", _AEABI_LONG)
RISCV = _linux("riscv64-gcc", "riscv64-linux-gnu")

# One of each kind of object file and compiler.
KINDS = (GCC_X86[1], CLANG_X86[1], AARCH64[0], ARMV7[0], CORTEX_M7[0])
IDENTITY = (*GCC_X86, *CLANG_X86, *AARCH64, *ARMV7, *CORTEX_M7)
ZIG = (
    _zig("x86_64-v3", "x86_64-linux-musl", "x86_64_v3", processor="avx2 fma"),
    _zig("x86_64-baseline", "x86_64-linux-musl", "x86_64"),
    _zig("aarch64", "aarch64-linux-musl", "generic", "aarch64"),
    _zig("armv7hf-without-neon", "arm-linux-musleabihf", "cortex_a7-neon", "arm"),
    _zig("riscv64", "riscv64-linux-musl", "baseline_rv64", "riscv64"),
)
ALL = (*IDENTITY, RISCV, *ZIG)
