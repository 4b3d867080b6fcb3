/*
 * Rules of validate: rows of {member, predicate, message}; places say where the specification has
 * the objects they are about.  A predicate answers "is this in order?" about the member it is
 * given, and says yes where the member is absent.  Inside src/oci only.
 */
#ifndef OCI_RULE_H
#define OCI_RULE_H

#include "base/cleanup.h"
#include "oci/spec.h"

struct oci_rule {
	const char *member; /* as in JSON, behind the place's path; "" is the object */
	size_t offset;      /* of the member in the object */
	bool (*holds)(const void *member); /* about the member alone, or */
	bool (*fits)(const struct oci_spec *spec, const void *member);
	const char *message;
};

/* clang-format off */
#define OCI_HOLDS(name, T, m, predicate, message) { name, offsetof(T, m), predicate, NULL, message }
#define OCI_FITS(name, T, m, predicate, message) { name, offsetof(T, m), NULL, predicate, message }
/* About the object as a whole. */
#define OCI_WHOLE(name, predicate, message) { name, 0, predicate, NULL, message }
#define OCI_WHOLE_FITS(name, predicate, message) { name, 0, NULL, predicate, message }
/* clang-format on */

enum oci_place_kind {
	OCI_PLACE_ONE,   /* the object itself; the path continues in the rule's member */
	OCI_PLACE_LIST,  /* path[3] */
	OCI_PLACE_MAP,   /* path["key"]; every item starts with its key */
	OCI_PLACE_KINDS, /* path[uts]; one item for each kind of namespace */
};

struct oci_place {
	const char *path;
	enum oci_place_kind kind;
	size_t offset, item_size; /* of the object or list in struct oci_spec; of an item */
	const struct oci_rule *rules;
	size_t n_rules;
};

#define OCI_OFFSET(m) offsetof(struct oci_spec, m)
#define OCI_THE(m)    OCI_PLACE_ONE, OCI_OFFSET(m), sizeof(((struct oci_spec *)0)->m)
#define OCI_ITEMS(m)  OCI_PLACE_LIST, OCI_OFFSET(m), sizeof(*((struct oci_spec *)0)->m.v)
#define OCI_PAIRS(m)  OCI_PLACE_MAP, OCI_OFFSET(m), sizeof(*((struct oci_spec *)0)->m.v)
#define OCI_RULES(r)  r, DJ_COUNT(r)

struct oci_places {
	const struct oci_place *v;
	size_t n;
};

extern const struct oci_places oci_config_places, oci_process_places, oci_linux_places,
        oci_rdt_places, oci_sysctl_places, oci_resources_places, oci_seccomp_places;

/* Predicates several tables use. */
#define OCI_PATH_MESSAGE      "must be a path of 1 to 4095 bytes"
#define OCI_ABSOLUTE_MESSAGE  "must be an absolute path of at most 4095 bytes"
#define OCI_LINE_MESSAGE      "must be one line of at most 4095 bytes"
#define OCI_CPUS_MESSAGE      "must be a list like 0-3,7"
#define OCI_INTERFACE_MESSAGE "must be the name of a network interface"
#define OCI_MAPS_MESSAGE                                                                           \
	"must be at most 340 ranges, none empty, none beyond 4294967295, none overlapping another"

bool oci_is_path(const void *member);
bool oci_is_absolute(const void *member);
bool oci_is_line(const void *member); /* no control characters, shorter than a path may be */
bool oci_is_cpu_list(const void *member);
bool oci_is_environment(const void *member);
bool oci_is_interface(const void *member);
bool oci_are_maps(const void *member);
bool oci_is_mapped_uid(const struct oci_spec *spec, const void *member);
bool oci_is_mapped_gid(const struct oci_spec *spec, const void *member);

const char *oci_string_at(const void *member);
bool oci_has_control_char(const char *s);
bool oci_has_ns(const struct oci_linux *container, enum oci_ns kind);
bool oci_has_new_ns(const struct oci_linux *container, enum oci_ns kind); /* not joined by path */

#endif
