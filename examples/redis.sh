#!/bin/sh
# A redis server on port 6379 that keeps nothing.
. "$(dirname "$0")/lib.sh"
bundle "$@"
config --root "$(debian_rootfs)" --user "${SERVICE_UID:-1000}" --tmpfs /tmp --cwd /tmp -- \
	redis-server --bind 0.0.0.0 --protected-mode no --save '' --dir /tmp
