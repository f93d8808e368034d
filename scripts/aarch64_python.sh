#!/usr/bin/env bash
# A 64-bit ARM Python in FOLDER, for qemu-user: root/ (Debian packages, unpacked), wheels/ (numpy, onnxruntime, pip), site/
# (onnxruntime, unpacked). Prints FOLDER; fetches once. Usage: scripts/aarch64_python.sh [FOLDER]; PYTHON: has pip.
# Nothing outside FOLDER is touched: apt works on a state of its own. onnxruntime is the oldest version supported: the
# newest ends with a segmentation fault when it is imported under qemu 7.2.
set -euo pipefail
here="$(cd "$(dirname "$0")/.." && pwd)"
folder="${1:-$here/.cache/aarch64-python}"
python="${PYTHON:-$here/.venv/bin/python}"
if [ -e "$folder/complete" ]; then
    echo "$folder"
    exit 0
fi
mkdir -p "$(dirname "$folder")"
work="$(mktemp -d "$folder.XXXXXX")"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{apt/state/lists/partial,apt/cache/archives/partial,debs,root,wheels,site}
: >"$work/apt/status"

options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User="$(id -un)"
    -o Dir::State="$work/apt/state" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache"
    -o Debug::NoLocking=1 -o Acquire::Languages=none)
apt-get "${options[@]}" update
version="$(apt-cache "${options[@]}" depends python3-minimal | sed -n 's/.*Depends: python\(3\.[0-9]*\)-minimal.*/\1/p' | head -n 1)"
(cd "$work/debs" && apt-get "${options[@]}" download "python$version-minimal" "libpython$version-minimal" "libpython$version-stdlib" \
    libc6 libexpat1 libffi8 libgcc-s1 libstdc++6 zlib1g)
for package in "$work"/debs/*.deb; do dpkg-deb -x "$package" "$work/root"; done
ln -s "python$version" "$work/root/usr/bin/python-aarch64"

oldest="$(sed -n 's/.*"onnxruntime>=\([0-9.]*\)".*/\1/p' "$here/runtime/pyproject.toml")"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$work/wheels" \
    --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64 \
    --implementation cp --python-version "$version" numpy pip "onnxruntime==$oldest.*"
"$python" -m zipfile -e "$work"/wheels/onnxruntime-*.whl "$work/site"
rm -rf "$work/apt" "$work/debs" "$work"/wheels/onnxruntime-*.whl
touch "$work/complete"
rm -rf "$folder"
mv "$work" "$folder"
trap - EXIT
echo "$folder"
