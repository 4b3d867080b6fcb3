/* Which sysctls a container may set (P48, B29, T43). */
#include "oci/rule.h"

#include <limits.h>
#include <string.h>

static const struct {
	const char *name; /* with '.' at its end: everything below */
	enum oci_ns ns;
} namespaced_sysctls[] = {
	{ "kernel.msgmax", OCI_NS_IPC },     { "kernel.msgmnb", OCI_NS_IPC },
	{ "kernel.msgmni", OCI_NS_IPC },     { "kernel.sem", OCI_NS_IPC },
	{ "kernel.shmall", OCI_NS_IPC },     { "kernel.shmmax", OCI_NS_IPC },
	{ "kernel.shmmni", OCI_NS_IPC },     { "kernel.shm_rmid_forced", OCI_NS_IPC },
	{ "fs.mqueue.", OCI_NS_IPC },        { "net.", OCI_NS_NETWORK },
	{ "kernel.domainname", OCI_NS_UTS }, { "user.", OCI_NS_USER },
};

/* The namespace a sysctl belongs to; OCI_NS_COUNT: the host. */
static enum oci_ns sysctl_ns(const char *key)
{
	for (size_t i = 0; i < DJ_COUNT(namespaced_sysctls); i++) {
		const char *name = namespaced_sysctls[i].name;
		size_t len = strlen(name);

		if (name[len - 1] == '.' ? strncmp(key, name, len) == 0 : strcmp(key, name) == 0)
			return namespaced_sysctls[i].ns;
	}
	return OCI_NS_COUNT;
}

/* '/' stands for a '.' inside a name here, so a part made of nothing else would be "." or "..". */
static bool is_sysctl_name(const void *member)
{
	const char *part = oci_string_at(member);

	if (!oci_is_line(member))
		return false;
	for (;;) {
		size_t len = strcspn(part, ".");

		if (strspn(part, "/") >= len)
			return false;
		if (part[len] == '\0')
			return true;
		part += len + 1;
	}
}

static bool is_not_hostname(const void *member)
{
	return strcmp(oci_string_at(member), "kernel.hostname") != 0;
}

static bool is_namespaced(const void *member)
{
	return sysctl_ns(oci_string_at(member)) != OCI_NS_COUNT;
}

static bool has_its_ns(const struct oci_spec *spec, const void *member)
{
	return oci_has_ns(&spec->linux, sysctl_ns(oci_string_at(member)));
}

/* Two spellings of one file have become one by now. */
static bool is_listed_once(const struct oci_spec *spec, const void *member)
{
	const struct oci_pair *pair = member;

	for (const struct oci_pair *other = spec->linux.sysctl.v; other < pair; other++) {
		if (strcmp(other->key, pair->key) == 0)
			return false;
	}
	return true;
}

static bool is_sysctl_value(const void *member)
{
	const char *value = oci_string_at(member);

	return strlen(value) < PATH_MAX && !strchr(value, '\n');
}

static const struct oci_rule sysctl_rules[] = {
	OCI_HOLDS("", struct oci_pair, key, is_sysctl_name, "is no name of a sysctl"),
	OCI_HOLDS("", struct oci_pair, key, is_not_hostname, "use the property hostname"),
	OCI_HOLDS("", struct oci_pair, key, is_namespaced,
	          "belongs to the host, not to a namespace"),
	OCI_FITS("", struct oci_pair, key, has_its_ns,
	         "belongs to a namespace that the container shares with the host"),
	OCI_WHOLE_FITS("", is_listed_once, "is listed twice, with '.' and with '/'"),
	OCI_HOLDS("", struct oci_pair, value, is_sysctl_value, OCI_LINE_MESSAGE),
};

static const struct oci_place places[] = {
	{ "linux.sysctl", OCI_PAIRS(linux.sysctl), OCI_RULES(sysctl_rules) },
};
const struct oci_places oci_sysctl_places = { places, DJ_COUNT(places) };
