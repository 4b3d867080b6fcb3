#!/bin/sh
# Python's file server on port 8000.
. "$(dirname "$0")/lib.sh"
bundle "$@"
echo 'hello from python' >index.html
chmod 644 index.html
config --root "$(debian_rootfs)" --user "${SERVICE_UID:-1000}" --tmpfs /tmp \
	--file "$PWD/index.html:/srv/index.html" --env PYTHONUNBUFFERED=1 -- \
	python3 -m http.server --directory /srv 8000
