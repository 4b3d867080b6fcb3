/* What must hold at the top level, for mounts and for hooks. */
#include "oci/mount_options.h"
#include "oci/rule.h"

#include <string.h>

enum { HOSTNAME_MAX = 64 };

static bool is_host_name(const void *member)
{
	const char *name = oci_string_at(member);

	return !name || (strlen(name) <= HOSTNAME_MAX && !oci_has_control_char(name));
}

static bool has_uts_ns(const struct oci_spec *spec, const void *member)
{
	return !oci_string_at(member) || oci_has_ns(&spec->linux, OCI_NS_UTS);
}

#define S struct oci_spec

static const struct oci_rule config_rules[] = {
	OCI_HOLDS("root.path", S, root.path, oci_is_path, OCI_PATH_MESSAGE),
	OCI_HOLDS("hostname", S, hostname, is_host_name, "must be one line of at most 64 bytes"),
	OCI_FITS("hostname", S, hostname, has_uts_ns, "needs a uts namespace"),
	OCI_HOLDS("domainname", S, domainname, is_host_name,
	          "must be one line of at most 64 bytes"),
	OCI_FITS("domainname", S, domainname, has_uts_ns, "needs a uts namespace"),
};

static bool has_option(const struct oci_mount *mount, uint32_t flag)
{
	for (size_t i = 0; i < mount->options.n; i++) {
		const struct oci_mount_option *option = oci_mount_option_find(mount->options.v[i]);

		if (option && (option->flags & flag))
			return true;
	}
	return false;
}

static bool options_say_something(const void *member)
{
	const struct oci_strings *options = member;

	for (size_t i = 0; i < options->n; i++)
		if (!*options->v[i])
			return false;
	return true;
}

/* To bind is a kind of its own, and a remount takes what is there. */
static bool has_kind(const void *member)
{
	const struct oci_mount *mount = member;

	return mount->type || has_option(mount, OCI_MOUNT_BIND | OCI_MOUNT_REMOUNT);
}

/* What became of the earlier entry's (oci_fold_remounts) is not here any more. */
static bool remount_has_no_data(const void *member)
{
	const struct oci_mount *mount = member;

	for (size_t i = 0; has_option(mount, OCI_MOUNT_REMOUNT) && i < mount->options.n; i++) {
		const struct oci_mount_option *option = oci_mount_option_find(mount->options.v[i]);

		if (!option || option->super)
			return false;
	}
	return true;
}

static bool mount_maps_come_together(const void *member)
{
	const struct oci_mount *mount = member;

	return (mount->uid_mappings.n > 0) == (mount->gid_mappings.n > 0);
}

static bool idmap_has_maps(const struct oci_spec *spec, const void *member)
{
	const struct oci_mount *mount = member;

	return mount->uid_mappings.n > 0 || oci_has_ns(&spec->linux, OCI_NS_USER) ||
	       !has_option(mount, OCI_MOUNT_IDMAP);
}

#define M struct oci_mount

static const struct oci_rule mount_rules[] = {
	OCI_HOLDS(".destination", M, destination, oci_is_path, OCI_PATH_MESSAGE),
	OCI_WHOLE(".type", has_kind, "missing"),
	OCI_HOLDS(".source", M, source, oci_is_path, OCI_PATH_MESSAGE),
	OCI_HOLDS(".options", M, options, options_say_something, "an option is empty"),
	OCI_WHOLE(".options", remount_has_no_data,
	          "a remount changes the flags of a mount, and settings only of a file system that an "
	          "earlier entry mounted there"),
	OCI_HOLDS(".uidMappings", M, uid_mappings, oci_are_maps, OCI_MAPS_MESSAGE),
	OCI_HOLDS(".gidMappings", M, gid_mappings, oci_are_maps, OCI_MAPS_MESSAGE),
	OCI_WHOLE("", mount_maps_come_together, "uidMappings and gidMappings must come together"),
	OCI_WHOLE_FITS(".options", idmap_has_maps, "idmap needs id mappings or a user namespace"),
};

static bool are_environment(const void *member)
{
	const struct oci_strings *env = member;

	for (size_t i = 0; i < env->n; i++) {
		if (!oci_is_environment(&env->v[i]))
			return false;
	}
	return true;
}

static const struct oci_rule hook_rules[] = {
	OCI_HOLDS(".path", struct oci_hook, path, oci_is_absolute, OCI_ABSOLUTE_MESSAGE),
	OCI_HOLDS(".env", struct oci_hook, env, are_environment, "must be a list of NAME=VALUE"),
};

#define HOOKS(name, kind)                                                                          \
	{                                                                                          \
		"hooks." name, OCI_ITEMS(hooks[kind]), OCI_RULES(hook_rules)                       \
	}

static const struct oci_place places[] = {
	{ "", OCI_PLACE_ONE, 0, sizeof(struct oci_spec), OCI_RULES(config_rules) },
	{ "mounts", OCI_ITEMS(mounts), OCI_RULES(mount_rules) },
	HOOKS("prestart", OCI_HOOK_PRESTART),
	HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
	HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
	HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
	HOOKS("poststart", OCI_HOOK_POSTSTART),
	HOOKS("poststop", OCI_HOOK_POSTSTOP),
};
const struct oci_places oci_config_places = { places, DJ_COUNT(places) };
