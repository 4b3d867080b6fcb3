#!/bin/sh
# What is in force in a donjon sandbox, as seen from inside.  Needs no image: the sandbox's root is
# the host's own /usr, read-only.
set -eu
donjon=${1:-donjon}

# shellcheck disable=SC2016
"$donjon" sandbox --memory 64M --pids 32 -- /bin/sh -c '
field() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
says() { printf "%-16s %s\n" "$1" "$2"; }
try() { # WHAT COMMAND...: what happens when it is tried
	what=$1
	shift
	if "$@" >/dev/null 2>&1; then says "$what" "WORKS"; else says "$what" "refused"; fi
}
says "user" "$(id -u):$(id -g), on the host $(sed "s/ \+/ /g; s/^ //" /proc/self/uid_map | cut -d" " -f2)+"
says "processes" "$(ls -d /proc/[0-9]* | wc -l) visible, I am $$"
says "network" "$(sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d " \n") only"
says "host name" "$(cat /proc/sys/kernel/hostname)"
says "capabilities" "bounding $(field CapBnd), effective $(field CapEff)"
says "no_new_privs" "$(field NoNewPrivs)"
says "seccomp" "mode $(field Seccomp), $(field Seccomp_filters) filters"
says "root" "$(grep " / / \| / " /proc/self/mounts | head -n 1 | cut -d" " -f3,4 | cut -c1-40)"
says "tmp" "$(grep " /tmp " /proc/self/mounts | cut -d" " -f3,4 | cut -c1-60)"
says "kernel log" "$(head -c 1 /proc/kmsg 2>/dev/null | wc -c) bytes of /proc/kmsg"
echo
try "write to /usr" touch /usr/x
try "write to /tmp" touch /tmp/x
try "user namespace" unshare -U true
try "mount" mount -t tmpfs tmpfs /tmp
try "change /proc/sys" sh -c "echo 1 > /proc/sys/kernel/sysrq"
try "open raw socket" python3 -c "import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)"
'
