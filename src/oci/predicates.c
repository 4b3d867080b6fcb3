/* Questions several rules ask. */
#include "oci/rule.h"

#include <limits.h>
#include <string.h>

enum {
	INTERFACE_MAX = 15,
	ID_MAP_LINES_MAX = 340, /* the kernel's UID_GID_MAP_MAX_EXTENTS */
};

bool oci_has_ns(const struct oci_linux *container, enum oci_ns kind)
{
	return container->namespaces[kind].set;
}

bool oci_has_new_ns(const struct oci_linux *container, enum oci_ns kind)
{
	return oci_has_ns(container, kind) && !container->namespaces[kind].path;
}

const char *oci_string_at(const void *member)
{
	return *(char *const *)member;
}

/* Bytes that could end a line or a field of a kernel interface. */
bool oci_has_control_char(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || *s == '\177')
			return true;
	}
	return false;
}

bool oci_is_path(const void *member)
{
	const char *path = oci_string_at(member);

	return !path || (*path && strlen(path) < PATH_MAX);
}

bool oci_is_absolute(const void *member)
{
	const char *path = oci_string_at(member);

	return !path || (*path == '/' && strlen(path) < PATH_MAX);
}

bool oci_is_line(const void *member)
{
	const char *s = oci_string_at(member);

	return !s || (strlen(s) < PATH_MAX && !oci_has_control_char(s));
}

bool oci_is_cpu_list(const void *member)
{
	const char *s = oci_string_at(member);

	return !s || s[strspn(s, "0123456789,-:/")] == '\0';
}

bool oci_is_environment(const void *member)
{
	const char *s = oci_string_at(member), *equals = strchr(s, '=');

	return equals && equals != s;
}

bool oci_is_interface(const void *member)
{
	const char *name = oci_string_at(member);

	return *name && strlen(name) <= INTERFACE_MAX && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && name[strcspn(name, "/ :")] == '\0' &&
	       !oci_has_control_char(name);
}

/* 2^32-1 is no id, so no range may reach it. */
static bool is_range(const struct oci_id_map *map)
{
	return map->size > 0 && (uint64_t)map->container_id + map->size <= UINT32_MAX &&
	       (uint64_t)map->host_id + map->size <= UINT32_MAX;
}

static bool ranges_meet(const struct oci_id_map *a, const struct oci_id_map *b)
{
	return (a->container_id < b->container_id + b->size &&
	        b->container_id < a->container_id + a->size) ||
	       (a->host_id < b->host_id + b->size && b->host_id < a->host_id + a->size);
}

bool oci_are_maps(const void *member)
{
	const struct oci_id_maps *maps = member;

	if (maps->n > ID_MAP_LINES_MAX)
		return false;
	for (size_t i = 0; i < maps->n; i++) {
		if (!is_range(&maps->v[i]))
			return false;
		for (size_t j = 0; j < i; j++) {
			if (ranges_meet(&maps->v[i], &maps->v[j]))
				return false;
		}
	}
	return true;
}

/* Without maps every id is its own, or comes from the namespace joined. */
static bool is_mapped(const struct oci_id_maps *maps, const uint32_t *id)
{
	for (size_t i = 0; i < maps->n; i++) {
		if (*id >= maps->v[i].container_id &&
		    *id - maps->v[i].container_id < maps->v[i].size)
			return true;
	}
	return maps->n == 0;
}

bool oci_is_mapped_uid(const struct oci_spec *spec, const void *member)
{
	return is_mapped(&spec->linux.uid_mappings, member);
}

bool oci_is_mapped_gid(const struct oci_spec *spec, const void *member)
{
	return is_mapped(&spec->linux.gid_mappings, member);
}
