# shellcheck shell=sh
# Shared by the example scripts; each makes one bundle, from this machine alone, in the directory
# given to it.  `donjon spec` writes the document they start from; DONJON names another binary.
set -eu

examples=$(cd "$(dirname "$0")" && pwd)
donjon=${DONJON:-donjon}
PATH=$PATH:/usr/sbin:/sbin

# bundle DIRECTORY: makes it and goes there.
bundle() {
	[ $# -eq 1 ] && [ -n "$1" ] || {
		echo "usage: $0 DIRECTORY" >&2
		exit 2
	}
	mkdir -p "$1"
	cd "$1"
}

# need PROGRAM PACKAGE
need() {
	command -v "$1" >/dev/null || {
		echo "$0: $1 is needed (package $2)" >&2
		exit 77
	}
}

# config [OPTION...] [-- COMMAND...]: config.json; see the options in edit-config.
config() {
	[ -e config.json ] || "$donjon" spec
	python3 "$examples/edit-config" config.json "$@"
}

# What apt is configured with, so that no mirror has to be named: "URI RELEASE".
apt_source() {
	apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
		awk '$2 !~ /-/ { print; exit }'
}

# debian_rootfs: prints the directory of a Debian system with the packages of all examples.  It is
# made once and shared: bundles use it read-only and bring their own files as bind mounts.
debian_rootfs() {
	need debootstrap debootstrap
	cache=${DONJON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/donjon}
	mkdir -p "$cache"
	(
		flock 9
		[ -d "$cache/debian" ] || make_debian "$cache"
	) 9>"$cache/debian.lock"
	echo "$cache/debian"
}

make_debian() { # CACHE
	rm -rf "$1/debian.new"
	set -- "$1" $(apt_source)
	[ $# -eq 3 ] || {
		echo "$0: apt has no source configured" >&2
		return 1
	}
	debootstrap --variant=minbase --include=nginx-light,redis-server,python3-flask \
		"$3" "$1/debian.new" "$2" >"$1/debian.log" 2>&1 9>&- || {
		tail -n 3 "$1/debian.log" >&2
		return 1
	}
	rm -rf "$1"/debian.new/var/cache/apt/* "$1"/debian.new/var/lib/apt/lists/*
	mv "$1/debian.new" "$1/debian"
}
