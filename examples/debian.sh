#!/bin/sh
# A Debian system made by debootstrap from the mirror apt is configured with.
. "$(dirname "$0")/lib.sh"
bundle "$@"
config --root "$(debian_rootfs)" -- \
	sh -c '. /etc/os-release; echo "hello from $PRETTY_NAME"; perl -e "print 6 * 7, qq(\n)"'
