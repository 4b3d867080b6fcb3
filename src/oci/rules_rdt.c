/* What must hold for `linux.intelRdt` (P55, P56). */
#include "oci/rule.h"

#include <limits.h>
#include <string.h>

/* A directory of resctrl itself, and none above or below it. */
static bool is_group(const void *member)
{
	const char *name = oci_string_at(member);

	if (!name || strcmp(name, "/") == 0)
		return true;
	return strlen(name) <= NAME_MAX && !strchr(name, '/') && !oci_has_control_char(name) &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* One line alone: a second one would be a schema nobody looked at. */
static bool is_schema(const void *member)
{
	const char *schema = oci_string_at(member);

	return !schema || (oci_is_line(member) && strchr(schema, ':'));
}

static bool is_bandwidth(const void *member)
{
	const char *schema = oci_string_at(member);

	return !schema || strncmp(schema, "MB:", 3) == 0;
}

#define R              struct oci_intel_rdt
#define SCHEMA_MESSAGE "must be one line of at most 4095 bytes like L3:0=ff;1=ff"

static const struct oci_rule rules[] = {
	OCI_HOLDS("closID", R, clos_id, is_group,
	          "must be \"/\" or the name of one directory, of at most 255 bytes"),
	OCI_HOLDS("l3CacheSchema", R, l3_cache_schema, is_schema, SCHEMA_MESSAGE),
	OCI_HOLDS("memBwSchema", R, mem_bw_schema, is_schema, SCHEMA_MESSAGE),
	OCI_HOLDS("memBwSchema", R, mem_bw_schema, is_bandwidth, "must start with \"MB:\""),
};

static const struct oci_rule line_rules[] = {
	OCI_WHOLE("", is_schema, SCHEMA_MESSAGE),
};

static const struct oci_place places[] = {
	{ "linux.intelRdt.", OCI_THE(linux.intel_rdt), OCI_RULES(rules) },
	{ "linux.intelRdt.schemata", OCI_ITEMS(linux.intel_rdt.schemata), OCI_RULES(line_rules) },
};
const struct oci_places oci_rdt_places = { places, DJ_COUNT(places) };
