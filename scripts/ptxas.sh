#!/usr/bin/env bash
# Unpacks NVIDIA's ptxas and libdevice into target/cuda, for tests that assemble PTX without a GPU.
# They come from the Python wheel nvidia-cuda-nvcc-cu12, which its licence lets you use but not
# this repository carry, so it is fetched. Prints the toolkit's folder; tests look there, or
# wherever SEQC_CUDA_TOOLKIT points (a folder with bin/ptxas and nvvm/libdevice).
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=12.9.86
TOOLKIT=$PWD/target/cuda

if [ ! -x "$TOOLKIT/bin/ptxas" ] || [ ! -e "$TOOLKIT/.$VERSION" ]; then
    python=$(scripts/python.sh)
    new=$(mktemp -d "$PWD/target/cuda.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    "$python" -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: \
        --platform manylinux2010_x86_64 -d "$new" "nvidia-cuda-nvcc-cu12==$VERSION" >&2
    "$python" -m zipfile -e "$new"/*.whl "$new/wheel"
    chmod +x "$new"/wheel/nvidia/cuda_nvcc/bin/* "$new"/wheel/nvidia/cuda_nvcc/nvvm/bin/* 2>/dev/null || true
    "$new/wheel/nvidia/cuda_nvcc/bin/ptxas" --version >/dev/null
    touch "$new/wheel/nvidia/cuda_nvcc/.$VERSION"
    rm -rf "$TOOLKIT"
    mv "$new/wheel/nvidia/cuda_nvcc" "$TOOLKIT"   # in one step, so that a folder that is there is whole
fi
echo "$TOOLKIT"
