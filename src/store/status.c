/* state.json: one table says what is in it, for writing and for reading. */
#include "base/cleanup.h"
#include "base/file.h"
#include "store/store.h"
#include "wrap/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

enum {
	SCHEMA_VERSION = 1,
	/* The annotations of a 16 MiB configuration, escaped. */
	STATE_MAX_BYTES = 64 * 1024 * 1024,
};

static const char *const document_files[] = {
	[STORE_CONFIG] = "config.json",
	[STORE_HARDENING] = "hardening.json",
	[STORE_RESOURCES] = "resources.json",
	[STORE_SECCOMP] = "seccomp.json",
};

static const char *const status_names[STORE_STATUS_COUNT] = {
	[STORE_CREATING] = "creating", [STORE_CREATED] = "created", [STORE_RUNNING] = "running",
	[STORE_PAUSED] = "paused",     [STORE_STOPPED] = "stopped",
};

const char *store_status_name(enum store_status status)
{
	return status_names[status];
}

enum kind { STRING, BOOL, UINT32, UINT64, PID };

struct field {
	const char *key;
	enum kind kind;
	size_t offset;
	bool later; /* records that a donjon before this field wrote have none: as if it said nothing */
};

#define FIELD(key, kind, member)                                                                   \
	{                                                                                          \
		key, kind, offsetof(struct store_record, member), false                            \
	}
#define LATER_FIELD(key, kind, member)                                                             \
	{                                                                                          \
		key, kind, offsetof(struct store_record, member), true                             \
	}
static const struct field fields[] = {
	FIELD("id", STRING, id),
	FIELD("ociVersion", STRING, oci_version),
	FIELD("bundle", STRING, bundle),
	FIELD("rootfs", STRING, rootfs),
	FIELD("created", STRING, created),
	FIELD("bootId", STRING, boot_id),
	FIELD("owner", UINT32, owner),
	FIELD("creating", BOOL, creating),
	FIELD("pid", PID, pid),
	FIELD("startTime", UINT64, start_time),
	FIELD("seccompFilters", UINT32, seccomp_filters),
	FIELD("cgroupPath", STRING, cgroup_path),
	FIELD("cgroupManager", STRING, cgroup_manager),
	FIELD("privatePidNamespace", BOOL, private_pid_ns),
	FIELD("noNewKeyring", BOOL, no_new_keyring),
	FIELD("poststartHooks", BOOL, poststart_hooks),
	FIELD("poststopHooks", BOOL, poststop_hooks),
	FIELD("selinuxLabel", STRING, selinux_label),
	FIELD("listenerPath", STRING, listener_path),
	FIELD("listenerMetadata", STRING, listener_metadata),
	LATER_FIELD("rdtGroup", STRING, rdt_group),
	LATER_FIELD("rdtMade", BOOL, rdt_made),
	LATER_FIELD("rdtMonitored", BOOL, rdt_monitored),
	FIELD("idRange", UINT32, id_range),
};

static struct json_value *field_to_json(const struct field *field,
                                        const struct store_record *record)
{
	const void *at = (const char *)record + field->offset;

	switch (field->kind) {
	case STRING:
		return json_new_string(*(char *const *)at);
	case BOOL:
		return json_new_bool(*(const bool *)at);
	case UINT32:
		return json_new_uint(*(const uint32_t *)at);
	case UINT64:
		return json_new_uint(*(const uint64_t *)at);
	case PID:
		return json_new_int(*(const pid_t *)at);
	}
	return NULL;
}

static bool field_from_json(const struct field *field, const struct json_value *value,
                            struct dj_arena *arena, struct store_record *record)
{
	void *at = (char *)record + field->offset;
	uint64_t number = 0;

	if (!value && field->later) {
		if (field->kind == STRING)
			*(char **)at = dj_arena_strdup(arena, "");
		return true;
	}
	if (field->kind == STRING) {
		const char *text = value ? json_text(value) : NULL;

		if (text)
			*(char **)at = dj_arena_strdup(arena, text);
		return text;
	}
	if (field->kind == BOOL) {
		if (!value || json_kind(value) != JSON_KIND_BOOL)
			return false;
		*(bool *)at = json_bool(value);
		return true;
	}
	if (!value || !json_uint64(value, &number))
		return false;
	switch (field->kind) {
	case UINT64:
		*(uint64_t *)at = number;
		return true;
	case UINT32:
		*(uint32_t *)at = (uint32_t)number;
		return number <= UINT32_MAX;
	default:
		*(pid_t *)at = (pid_t)number;
		return number <= INT32_MAX;
	}
}

/* The names alone could be those of files in the bundle. */
static int replace(int dir_fd, const char *name, const char *text, size_t size,
                   struct donjon_error *err)
{
	if (file_replace(dir_fd, name, 0600, text, size, err) < 0)
		return dj_note(err, "state directory of the container");
	return 0;
}

int store_write(int dir_fd, const struct store_record *record, struct donjon_error *err)
{
	struct json_value *root = json_new_object(), *annotations = json_new_object();
	dj_auto_free char *text = NULL;

	json_set(root, "version", json_new_int(SCHEMA_VERSION));
	for (size_t i = 0; i < DJ_COUNT(fields); i++)
		json_set(root, fields[i].key, field_to_json(&fields[i], record));
	for (size_t i = 0; i < record->n_annotations; i++)
		json_set(annotations, record->annotations[i].key,
		         json_new_string(record->annotations[i].value));
	json_set(root, "annotations", annotations);
	text = json_print(root, false);
	json_free(root);
	return replace(dir_fd, STORE_STATE_FILE, text, strlen(text), err);
}

static int read_annotations(const struct json_value *value, struct dj_arena *arena,
                            struct store_record *out, struct donjon_error *err)
{
	const struct json_value *item;
	const char *key;
	void *it = NULL;

	if (!value || json_kind(value) != JSON_KIND_OBJECT)
		return dj_fail(err, DONJON_E_CONFIG, "annotations: not an object");
	out->annotations = dj_arena_array(arena, json_size(value), sizeof(*out->annotations));
	while ((it = json_next(value, it, &key, &item))) {
		const char *text = json_text(item);

		if (!text)
			return dj_fail(err, DONJON_E_CONFIG, "annotations: not strings");
		out->annotations[out->n_annotations++] = (struct store_pair){
			.key = dj_arena_strdup(arena, key),
			.value = dj_arena_strdup(arena, text),
		};
	}
	return 0;
}

static int decode(const struct json_value *root, struct dj_arena *arena, struct store_record *out,
                  struct donjon_error *err)
{
	const struct json_value *version;
	int64_t number;

	if (json_kind(root) != JSON_KIND_OBJECT)
		return dj_fail(err, DONJON_E_CONFIG, "not an object");
	version = json_get(root, "version");
	if (!version || !json_int64(version, &number) || number != SCHEMA_VERSION)
		return dj_fail(err, DONJON_E_CONFIG, "not of version %d", SCHEMA_VERSION);
	for (size_t i = 0; i < DJ_COUNT(fields); i++)
		if (!field_from_json(&fields[i], json_get(root, fields[i].key), arena, out))
			return dj_fail(err, DONJON_E_CONFIG, "%s: missing or of the wrong type",
			               fields[i].key);
	return read_annotations(json_get(root, "annotations"), arena, out, err);
}

/* Ours, a regular file, no link: whoever could plant one could make us signal a process (T66). */
static int read_own_file(int dir_fd, const char *name, size_t max, char **text, size_t *size,
                         struct donjon_error *err)
{
	dj_auto_close int fd =
	        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return dj_fail(err, DONJON_E_NOT_FOUND, "%s does not exist", name);
	if (fd < 0)
		return dj_fail_os(err, errno, "open %s", name);
	if (fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "look at %s", name);
	if (st.st_uid != geteuid())
		return dj_fail(err, DONJON_E_CONFIG, "%s belongs to uid %u", name, st.st_uid);
	return file_read_regular(fd, max, name, text, size, err);
}

int store_read(int dir_fd, struct dj_arena *arena, struct store_record *out,
               struct donjon_error *err)
{
	struct store_record record = { 0 };
	dj_auto_free char *text = NULL;
	struct json_value *root;
	size_t size;
	int r;

	if (read_own_file(dir_fd, STORE_STATE_FILE, STATE_MAX_BYTES, &text, &size, err) < 0)
		return -1;
	root = json_parse(text, size, STATE_MAX_BYTES, err);
	if (!root)
		return dj_note(err, STORE_STATE_FILE);
	r = decode(root, arena, &record, err);
	json_free(root);
	if (r < 0)
		return dj_note(err, STORE_STATE_FILE);
	*out = record;
	return 0;
}

int store_save(int dir_fd, enum store_document which, const char *text, size_t size,
               struct donjon_error *err)
{
	return replace(dir_fd, document_files[which], text, size, err);
}

int store_load(int dir_fd, enum store_document which, char **text, size_t *size,
               struct donjon_error *err)
{
	*text = NULL;
	if (read_own_file(dir_fd, document_files[which], STATE_MAX_BYTES, text, size, err) == 0)
		return 0;
	if (err->code != DONJON_E_NOT_FOUND)
		return -1;
	dj_error_clear(err);
	return 0;
}
