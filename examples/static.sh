#!/bin/sh
# One static program and nothing else: not even the directories things are mounted on.
. "$(dirname "$0")/lib.sh"
need busybox busybox-static
bundle "$@"
mkdir -p rootfs
cp "$(command -v busybox)" rootfs/echo
config -- /echo hello from a lone program
