#!/bin/sh
# An image built by buildah from nothing and unpacked by umoci: no registry is asked.
. "$(dirname "$0")/lib.sh"
need buildah buildah
need umoci umoci
need busybox busybox-static
bundle "$@"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$work/policy.json"
build() {
	buildah --root "$work/root" --runroot "$work/runroot" --storage-driver vfs "$@"
}
image=$(build from --signature-policy "$work/policy.json" scratch)
build copy -q "$image" "$(command -v busybox)" /bin/busybox >/dev/null
build copy -q "$image" "$(command -v busybox)" /bin/sh >/dev/null
build config --env GREETING=hello --workingdir /tmp --cmd '["sh", "-c", "echo $GREETING from $PWD"]' "$image"
build commit -q --signature-policy "$work/policy.json" "$image" "oci:$work/image:latest" >/dev/null
rm -rf rootfs config.json
umoci unpack --image "$work/image:latest" "$work/bundle" >/dev/null
mv "$work/bundle/rootfs" "$work/bundle/config.json" .
config
