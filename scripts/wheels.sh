#!/usr/bin/env bash
# Wheels of the runtime: Python alone, this machine's processor, 64-bit ARM. Usage: scripts/wheels.sh [FOLDER] [KIND...]
# KIND: pure host aarch64; all three unless given. FOLDER: dist unless given. PYTHON: has the packages build and
# scikit-build-core, and cmake and ninja where the system has none; .venv's unless given.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
out="$(mkdir -p "${1:-$root/dist}" && cd "${1:-$root/dist}" && pwd)"
kinds=("${@:2}")
[ "${#kinds[@]}" -gt 0 ] || kinds=(pure host aarch64)
python="${PYTHON:-$root/.venv/bin/python}"
source="$(mktemp -d)"
trap 'rm -rf "$source"' EXIT
# A copy without what an editable installation left behind.
cp -r "$root"/runtime/{pyproject.toml,CMakeLists.txt,README.md,LICENSE,native,edgepde_runtime} "$source"
rm -rf "$source/edgepde_runtime/_native"
find "$source" -name __pycache__ -type d -prune -exec rm -rf {} +

build() {
    (cd "$source" && "$@" "$python" -m build --wheel --no-isolation --outdir "$out" . >"$source/log" 2>&1) ||
        { cat "$source/log" >&2; exit 1; }
    tail -n 1 "$source/log"
}

for kind in "${kinds[@]}"; do
    case "$kind" in
        pure) build env EDGEPDE_NO_NATIVE=1 ;;
        host) build env EDGEPDE_REQUIRE_NATIVE=1 ;;
        aarch64)
            build env EDGEPDE_REQUIRE_NATIVE=1 _PYTHON_HOST_PLATFORM=linux-aarch64 \
                CMAKE_TOOLCHAIN_FILE="$source/native/aarch64-linux-gnu.cmake"
            ;;
        *) echo "scripts/wheels.sh: expected pure, host or aarch64, got $kind" >&2; exit 2 ;;
    esac
done
