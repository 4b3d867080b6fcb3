/* What only the kernel knows (that a namespace path is of its type and not the host's) is checked
 * at launch. */
#include "oci/validate.h"

#include "oci/names.h"
#include "oci/pointer.h"
#include "oci/rule.h"

#include <stdio.h>
#include <string.h>

static const struct oci_places *const all_places[] = {
	&oci_config_places, &oci_linux_places,     &oci_process_places, &oci_rdt_places,
	&oci_sysctl_places, &oci_resources_places, &oci_seccomp_places,
};

struct items {
	const char *v;
	size_t n;
};

/* Every list of struct oci_spec is a pointer and a count. */
static struct items items_at(const struct oci_spec *spec, const struct oci_place *place)
{
	const char *at = (const char *)spec + place->offset;
	struct items items;

	if (place->kind == OCI_PLACE_ONE)
		return (struct items){ at, 1 };
	if (place->kind == OCI_PLACE_KINDS)
		return (struct items){ at, OCI_NS_COUNT };
	memcpy(&items, at, sizeof(items));
	return items;
}

static int fail_rule(const struct oci_place *place, const struct oci_rule *rule, const char *item,
                     size_t i, struct donjon_error *err)
{
	char where[128] = "";

	switch (place->kind) {
	case OCI_PLACE_ONE:
		break;
	case OCI_PLACE_LIST:
		(void)snprintf(where, sizeof(where), "[%zu]", i);
		break;
	case OCI_PLACE_MAP:
		(void)oci_print_key(where, sizeof(where), oci_string_at(item));
		break;
	case OCI_PLACE_KINDS:
		(void)snprintf(where, sizeof(where), "[%s]",
		               oci_word_name(&oci_namespace_words, i));
		break;
	}
	return dj_fail(err, DONJON_E_CONFIG, "%s%s%s: %s", place->path, where, rule->member,
	               rule->message);
}

static int check_item(const struct oci_spec *spec, const struct oci_place *place, const char *item,
                      size_t i, struct donjon_error *err)
{
	const struct oci_rule *end = place->rules + place->n_rules;

	for (const struct oci_rule *rule = place->rules; rule < end; rule++) {
		const void *member = item + rule->offset;

		if (rule->holds ? !rule->holds(member) : !rule->fits(spec, member))
			return fail_rule(place, rule, item, i, err);
	}
	return 0;
}

static int check_place(const struct oci_spec *spec, const struct oci_place *place,
                       struct donjon_error *err)
{
	const struct items items = items_at(spec, place);

	for (size_t i = 0; i < items.n; i++) {
		if (check_item(spec, place, items.v + i * place->item_size, i, err) < 0)
			return -1;
	}
	return 0;
}

static int check_places(const struct oci_spec *spec, const struct oci_places *places,
                        struct donjon_error *err)
{
	for (size_t i = 0; i < places->n; i++) {
		if (check_place(spec, &places->v[i], err) < 0)
			return -1;
	}
	return 0;
}

int oci_validate(const struct oci_spec *spec, struct donjon_error *err)
{
	for (size_t i = 0; i < DJ_COUNT(all_places); i++) {
		if (check_places(spec, all_places[i], err) < 0)
			return -1;
	}
	return 0;
}

int oci_validate_resources(const struct oci_resources *resources, struct donjon_error *err)
{
	const struct oci_spec spec = { .linux.resources = *resources };

	return check_places(&spec, &oci_resources_places, err);
}

int oci_validate_rdt(const struct oci_intel_rdt *rdt, struct donjon_error *err)
{
	const struct oci_spec spec = { .linux.intel_rdt = *rdt };

	return check_places(&spec, &oci_rdt_places, err);
}
