#!/usr/bin/env bash
# System packages the project needs: installed as root on Debian, otherwise listed.
set -euo pipefail
packages=(
    python3-venv chromium
    gcc clang binutils cmake libc6-dev
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
    gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    gcc-arm-none-eabi libnewlib-arm-none-eabi
    qemu-user-static qemu-system-arm
)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "install ok installed" || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    printf 'Optional system packages that are not installed here: %s\n' "${missing[*]}"
    printf 'Install them with: sudo apt-get install %s\n' "${missing[*]}"
fi
