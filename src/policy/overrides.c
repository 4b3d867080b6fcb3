#include "policy/overrides.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "oci/pointer.h"
#include "policy/harden.h"
#include "wrap/caps.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

static bool is_capability(const char *item)
{
	return strncmp(item, "CAP_", 4) == 0 && caps_number(item) >= 0;
}

/* Already clean, so that what the operator wrote is what is compared. */
static bool is_path(const char *item)
{
	char clean[PATH_MAX];

	return item[0] == '/' && path_clean(item, clean, sizeof(clean)) == 0 &&
	       strcmp(item, clean) == 0;
}

static bool is_name(const char *item)
{
	for (; *item; item++)
		if (!isalnum((unsigned char)*item) && !strchr("_.-/", *item))
			return false;
	return true;
}

static bool is_number(const char *item)
{
	uint32_t number;

	return override_number(item, &number);
}

static bool is_size(const char *item)
{
	int64_t bytes;

	return override_size(item, &bytes);
}

/* "c10:229", "b8:*" */
static bool is_device_rule(const char *item)
{
	size_t major, minor;

	if (*item != 'c' && *item != 'b')
		return false;
	major = strspn(item + 1, "0123456789");
	if (major == 0 || item[1 + major] != ':')
		return false;
	item += major + 2;
	minor = strspn(item, "0123456789");
	return strcmp(item, "*") == 0 || (minor > 0 && item[minor] == '\0');
}

/* A check that is not listed cannot be overridden: ns.mnt, caps.privileged and hooks.trusted never
 * (§8), the others because nothing is forced or refused under their name. */
/* clang-format off */
static const struct override_rule rules[] = {
	{ "user.nonroot", "mapped,unmapped,always", NULL, false,
	  "`mapped` (what holds anyway), `unmapped` (uid 0 of the host), `always` (refuse uid 0)" },
	{ "user.groups", "", is_number, true, "gids as the config names them" },
	{ "nnp.set", "off", NULL, false, "`off`" },
	{ "userns.private", "host", NULL, false, "`host`" },
	{ "userns.map", "", is_number, false, "the lowest host id that may be mapped" },
	{ "userns.nested", "allow", NULL, false, "`allow`" },
	{ "caps.bounding", "", is_capability, true,
	  "capabilities to keep, of those the config lists" },
	{ "caps.ambient", "", is_capability, true,
	  "capabilities to keep ambient and inheritable, of those kept at all" },
	{ "seccomp.on", "guard-only", NULL, false,
	  "`guard-only` (no profile beside the guard filter)" },
	{ "seccomp.default-deny", "allow,log,trace,notify", NULL, false,
	  "the default action: `allow`, `log`, `trace`, `notify`" },
	{ "seccomp.forbidden-calls", "", is_name, true, "system calls" },
	{ "seccomp.flags", "spec-allow", NULL, false, "`spec-allow`" },
	{ "lsm.confined", "unconfined", NULL, false, "`unconfined`" },
	{ "ns.pid", "host", NULL, false, "`host`" },
	{ "ns.net", "host", NULL, false, "`host`" },
	{ "ns.ipc", "host", NULL, false, "`host`" },
	{ "ns.uts", "host", NULL, false, "`host`" },
	{ "ns.cgroup", "host", NULL, false, "`host`" },
	{ "fs.rootfs-ro", "volatile,rw", NULL, false,
	  "`volatile` (writes go to a bounded tmpfs and are lost), `rw`" },
	{ "fs.tmp", "exec,suid,dev,rootfs", NULL, true,
	  "`exec`, `suid`, `dev`, `rootfs` (no tmpfs on /tmp)" },
	{ "fs.nosuid-nodev", "", is_path, true, "mount destinations; `/` is the rootfs" },
	{ "fs.host-paths", "", is_path, true, "host paths, each with what lies below it" },
	{ "fs.control-sockets", "", is_path, true, "host paths, each with what lies below it" },
	{ "fs.propagation", "", is_path, true, "mount destinations; `/` is the rootfs" },
	{ "fs.masked", "", is_path, true, "paths not to mask" },
	{ "fs.readonly-proc", "", is_path, true, "paths not to make read-only" },
	{ "fs.proc-visibility", "all", NULL, false, "`all`" },
	{ "fs.sysfs", "rw", is_name, true, "`rw`, or the filesystem type" },
	{ "fs.cgroupfs", "rw", NULL, false, "`rw`" },
	{ "dev.nodes", "", is_path, true, "device paths" },
	{ "dev.cgroup", "", is_device_rule, true, "device rules such as `c10:229` or `c42:*`" },
	{ "res.memory", "unlimited", is_size, false, "`unlimited`, or a size such as `2g`" },
	{ "res.swap", "unlimited", is_size, false, "`unlimited`, or a size such as `1g`" },
	{ "res.pids", "unlimited", is_number, false, "`unlimited`, or a number" },
	{ "res.cpu-io", "none", NULL, false, "`none`" },
	{ "res.core", "keep", NULL, false, "`keep`" },
	{ "sysctl.safe", "", is_name, true, "sysctl names" },
	{ "keyring.private", "inherit", NULL, false, "`inherit`" },
	{ "proc.fds", "preserve", NULL, false, "`preserve`" },
	{ "env.loader", "", is_name, true, "names of environment variables" },
};
/* clang-format on */

const struct override_rule *override_rule_find(const char *check)
{
	for (size_t i = 0; i < DJ_COUNT(rules); i++)
		if (strcmp(rules[i].check, check) == 0)
			return &rules[i];
	return NULL;
}

bool override_number(const char *text, uint32_t *out)
{
	uint64_t number = 0;

	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p))
			return false;
		number = number * 10 + (uint64_t)(*p - '0');
		if (number > UINT32_MAX)
			return false;
	}
	*out = (uint32_t)number;
	return *text != '\0';
}

bool override_size(const char *text, int64_t *out)
{
	static const char units[] = "kmg";
	size_t digits = strspn(text, "0123456789");
	const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
	char number[11];
	uint32_t value;

	if (digits == 0 || digits >= sizeof(number) ||
	    (text[digits] && (!unit || text[digits + 1])))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (!override_number(number, &value) || value == 0)
		return false;
	*out = (int64_t)value << (unit ? 10 * (unit - units + 1) : 0);
	return true;
}

/* Walks "a,b,c": copies the next item into the arena and moves on; NULL at the end. */
static char *next_item(const char **list, struct dj_arena *arena)
{
	size_t len = strcspn(*list, ",");
	char *item;

	if (!**list)
		return NULL;
	item = dj_arena_alloc(arena, len + 1);
	memcpy(item, *list, len);
	*list += len + ((*list)[len] == ',');
	return item;
}

void override_items(const char *value, struct dj_arena *arena, struct oci_strings *out)
{
	char *item;

	while ((item = next_item(&value, arena)))
		strings_add(arena, out, item);
}

static bool list_has(const char *list, const char *item)
{
	size_t want = strlen(item);

	while (*list) {
		size_t len = strcspn(list, ",");

		if (len == want && memcmp(list, item, len) == 0)
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

static int check_value(const struct override_rule *rule, const char *value, struct dj_arena *arena,
                       struct donjon_error *err)
{
	const char *rest = value;
	char *item;

	if (*value == '\0' || value[strlen(value) - 1] == ',')
		return dj_fail(err, DONJON_E_USAGE, "override %s: empty value", rule->check);
	while ((item = next_item(&rest, arena)))
		if (!*item || (*rest && !rule->is_list) ||
		    (!list_has(rule->words, item) && !(rule->is_item && rule->is_item(item))))
			return dj_fail(err, DONJON_E_USAGE,
			               "override %s: value \"%s\" is not one of: %s", rule->check,
			               value, rule->values);
	return 0;
}

int override_make(const char *id, const char *value, const char *reason, enum policy_source source,
                  struct dj_arena *arena, struct policy_override *out, struct donjon_error *err)
{
	const struct policy_check *check = policy_check_find(id);
	const struct override_rule *rule = override_rule_find(id);

	if (!check)
		return dj_fail(err, DONJON_E_USAGE, "override %s: unknown check id", id);
	if (!rule)
		return dj_fail(err, DONJON_E_USAGE, "override %s: this check cannot be overridden",
		               id);
	if (check_value(rule, value, arena, err) < 0)
		return -1;
	if (reason[strspn(reason, " \t")] == '\0')
		return dj_fail(err, DONJON_E_USAGE, "override %s: a reason is needed: %s=%s:REASON",
		               id, id, value);
	*out = (struct policy_override){
		.check = check->id,
		.value = dj_arena_strdup(arena, value),
		.reason = dj_arena_strdup(arena, reason),
		.source = source,
	};
	return 0;
}

/* The last ':' outside double quotes ends the value, since values hold paths (decision 38). */
static char *find_separator(char *text)
{
	bool quoted = false;
	char *last = NULL;

	for (char *p = text; *p; p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == ':' && !quoted)
			last = p;
	}
	return quoted ? NULL : last;
}

static char *unquote(char *value)
{
	size_t len = strlen(value);

	if (len < 2 || value[0] != '"' || value[len - 1] != '"')
		return value;
	value[len - 1] = '\0';
	return value + 1;
}

static int make_from_pair(const char *id, const char *text, enum policy_source source,
                          struct dj_arena *arena, struct policy_override *out,
                          struct donjon_error *err)
{
	char *value = dj_arena_strdup(arena, text);
	char *separator = find_separator(value);

	if (!separator)
		return dj_fail(err, DONJON_E_USAGE, "override %s: write VALUE:REASON", id);
	*separator = '\0';
	return override_make(id, unquote(value), separator + 1, source, arena, out, err);
}

int override_from_text(const char *text, enum policy_source source, struct dj_arena *arena,
                       struct policy_override *out, struct donjon_error *err)
{
	char *id = dj_arena_strdup(arena, text);
	char *equals = strchr(id, '=');

	if (!equals)
		return dj_fail(err, DONJON_E_USAGE, "override %s: write ID=VALUE:REASON", text);
	*equals = '\0';
	return make_from_pair(id, equals + 1, source, arena, out, err);
}

int policy_override_parse(const char *text, struct dj_arena *arena, struct policy_override *out,
                          struct donjon_error *err)
{
	if (override_from_text(text, POLICY_FROM_COMMAND_LINE, arena, out, err) < 0)
		return -1;
	for (char *p = out->reason; *p; p++)
		if (*p == '_')
			*p = ' ';
	return 0;
}

static void keep(struct harden *h, const struct policy_override *override)
{
	struct policy_result *r = h->result;

	r->overrides.v =
	        list_room(h->arena, r->overrides.v, r->overrides.n, sizeof(*r->overrides.v));
	r->overrides.v[r->overrides.n++] = *override;
}

/* An image must not be able to unlock its own cage: annotations loosen only what the policy file
 * names, and tighten always. */
static bool annotation_may(const struct harden *h, const struct policy_override *override)
{
	if (strcmp(override->check, "user.nonroot") == 0 && strcmp(override->value, "always") == 0)
		return true;
	return h->request->file.present &&
	       strings_has(&h->request->file.annotations_may_allow, override->check);
}

static int collect_annotation(struct harden *h, const char *id, const struct oci_pair *pair,
                              struct donjon_error *err)
{
	struct policy_override override;

	if (make_from_pair(id, pair->value, POLICY_FROM_ANNOTATION, h->arena, &override, err) < 0)
		return dj_note(err, "%s", oci_pointer(h->arena, "annotations", pair->key));
	h->check = override.check;
	if (annotation_may(h, &override))
		keep(h, &override);
	else
		harden_refused(h, harden_pointer(h, "/annotations/", pair->key),
		               "loosens a check that annotations may not loosen",
		               "its id in annotations_may_allow of the policy file", NULL);
	return 0;
}

int overrides_collect(struct harden *h, struct donjon_error *err)
{
	static const char prefix[] = "org.donjon.override.";
	const struct oci_spec *spec = h->spec;

	if (h->request->file.present)
		for (size_t i = 0; i < h->request->file.overrides.n; i++)
			keep(h, &h->request->file.overrides.v[i]);
	for (size_t i = 0; i < h->request->overrides.n; i++)
		keep(h, &h->request->overrides.v[i]);
	if (h->level == POLICY_NONE) /* nothing to loosen: an annotation like any other */
		return 0;
	for (size_t i = 0; i < spec->annotations.n; i++) {
		const struct oci_pair *pair = &spec->annotations.v[i];

		if (strncmp(pair->key, prefix, sizeof(prefix) - 1) == 0 &&
		    collect_annotation(h, pair->key + sizeof(prefix) - 1, pair, err) < 0)
			return -1;
	}
	return 0;
}

bool overridden_of(struct harden *h, const char *check, const char *item)
{
	struct policy_result *r = h->result;
	bool allowed = false;

	for (size_t i = 0; i < r->overrides.n; i++) {
		struct policy_override *o = &r->overrides.v[i];

		if (strcmp(o->check, check) == 0 && list_has(o->value, item))
			allowed = o->used = true;
	}
	return allowed;
}

bool overridden(struct harden *h, const char *item)
{
	return overridden_of(h, h->check, item);
}

static bool lists_path(const char *list, const char *path)
{
	while (*list) {
		size_t len = strcspn(list, ",");

		if (strncmp(path, list, len) == 0 &&
		    (path[len] == '\0' || (path[len] == '/' && len > 1)))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

bool overridden_path(struct harden *h, const char *path)
{
	struct policy_result *r = h->result;
	bool allowed = false;

	for (size_t i = 0; i < r->overrides.n; i++) {
		struct policy_override *o = &r->overrides.v[i];

		if (strcmp(o->check, h->check) == 0 && lists_path(o->value, path))
			allowed = o->used = true;
	}
	return allowed;
}

const char *override_value(struct harden *h)
{
	struct policy_result *r = h->result;
	struct policy_override *best = NULL;

	for (size_t i = 0; i < r->overrides.n; i++)
		if (strcmp(r->overrides.v[i].check, h->check) == 0 &&
		    (!best || r->overrides.v[i].source > best->source))
			best = &r->overrides.v[i];
	if (best)
		best->used = true;
	return best ? best->value : NULL;
}
