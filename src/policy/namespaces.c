/* Namespaces shared with the host: refused where only a person can have asked for it, made where
 * engines leave them out (hardening-checks.md §7). */
#include "base/cleanup.h"
#include "policy/harden.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *check, *word, *file;
	enum oci_ns kind;
} kinds[] = {
	{ "ns.pid", "PID", "pid", OCI_NS_PID },
	{ "ns.net", "network", "net", OCI_NS_NETWORK },
	{ "ns.ipc", "IPC", "ipc", OCI_NS_IPC },
	{ "ns.mnt", "mount", "mnt", OCI_NS_MOUNT },
	{ "ns.uts", "UTS", "uts", OCI_NS_UTS },
	{ "ns.cgroup", "cgroup", "cgroup", OCI_NS_CGROUP },
	{ "userns.private", "user", "user", OCI_NS_USER },
};

static size_t kind_of_check(const char *check)
{
	for (size_t i = 0; i < DJ_COUNT(kinds); i++)
		if (strcmp(kinds[i].check, check) == 0)
			return i;
	assert(!"a check of a namespace");
	return 0;
}

/* Only the spelling can be seen here; that a path does not lead to the runtime's own namespace is
 * proved by inode at launch. */
bool namespace_is_host(const struct oci_spec *spec, enum oci_ns kind)
{
	const struct oci_namespace *ns = &spec->linux.namespaces[kind];
	const char *file;

	if (!ns->set)
		return true;
	if (!ns->path)
		return false;
	file = strrchr(ns->path, '/');
	return file && (size_t)(file - ns->path) == strlen("/proc/1/ns") &&
	       strncmp(ns->path, "/proc/1/ns", strlen("/proc/1/ns")) == 0;
}

static char *describe_sharing(struct harden *h, size_t i)
{
	const struct oci_namespace *ns = &h->spec->linux.namespaces[kinds[i].kind];

	if (ns->set)
		return harden_text(h, "joins %s %s namespace by path",
		                   namespace_is_host(h->spec, kinds[i].kind) ? "the host's" : "another's",
		                   kinds[i].word);
	return harden_text(h, "shares the host's %s namespace", kinds[i].word);
}

void harden_host_namespace(struct harden *h)
{
	size_t i = kind_of_check(h->check);

	if (namespace_is_host(h->spec, kinds[i].kind) && !overridden(h, "host"))
		harden_refused(h, "/linux/namespaces", describe_sharing(h, i),
		               "a namespace of its own, or its pod's", "host");
}

void harden_mount_namespace(struct harden *h)
{
	size_t i = kind_of_check(h->check);

	if (namespace_is_host(h->spec, kinds[i].kind) || h->spec->linux.namespaces[OCI_NS_MOUNT].path)
		harden_refused(h, "/linux/namespaces", describe_sharing(h, i),
		               "a mount namespace of its own", NULL);
	if (h->request->no_pivot)
		harden_noted(
		        h, "the rootfs is moved over the old root instead of pivoted (--no-pivot)");
}

void harden_own_namespace(struct harden *h)
{
	size_t i = kind_of_check(h->check);

	if (!namespace_is_host(h->spec, kinds[i].kind) || overridden(h, "host"))
		return;
	h->spec->linux.namespaces[kinds[i].kind] = (struct oci_namespace){ .set = true };
	h->spec->linux.set = true;
	harden_changed(h, "/linux/namespaces",
	               harden_text(h, "the host's %s namespace", kinds[i].word), "its own");
}

/* Who is not root has no network to give to a container, so documents for such callers leave the
 * namespace out (`spec --rootless`, F54): that asks for nothing, and an own one is the tighter answer.
 * Engines are root, if only of a namespace of their own, and leave it out when a person says so. */
void harden_network_namespace(struct harden *h)
{
	if (h->host->euid != 0 && !h->request->host_network &&
	    !h->spec->linux.namespaces[OCI_NS_NETWORK].set)
		harden_own_namespace(h);
	else
		harden_host_namespace(h);
}
