#!/bin/sh
# The document `runc spec` writes, untouched but for the terminal and the command.
. "$(dirname "$0")/lib.sh"
need runc runc
need busybox busybox-static
bundle "$@"
mkdir -p rootfs/bin
cp "$(command -v busybox)" rootfs/bin/sh
rm -f config.json
runc spec
config -- sh -c 'echo hello from runc spec'
