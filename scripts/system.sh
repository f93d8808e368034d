#!/usr/bin/env bash
# System packages the project needs: installed as root on Debian, otherwise listed.
set -euo pipefail
packages=(python3-venv chromium)
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
