#include "engine/state.h"

#include "base/cleanup.h"
#include "engine/container.h"
#include "wrap/json.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

enum { DOCUMENT_MAX_BYTES = 64 * 1024 * 1024 };

/* The file only: name services would load libraries, and may ask the network. */
static void look_up_user(uint32_t uid, char buf[static 64])
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;

	if (!file)
		return;
	while ((user = fgetpwent(file)))
		if (user->pw_uid == uid) {
			(void)snprintf(buf, 64, "%s", user->pw_name);
			break;
		}
	(void)fclose(file); /* read only: nothing can be lost */
}

const char *state_owner(uint32_t uid, char buf[static 64])
{
	if (uid == 0)
		return "root";
	(void)snprintf(buf, 64, "%u", uid);
	look_up_user(uid, buf);
	return buf;
}

static struct json_value *annotations_json(const struct store_record *record)
{
	struct json_value *object = json_new_object();

	for (size_t i = 0; i < record->n_annotations; i++)
		json_set(object, record->annotations[i].key,
		         json_new_string(record->annotations[i].value));
	return object;
}

struct json_value *state_value(const struct store_record *record, enum store_status status)
{
	struct json_value *root = json_new_object();
	char owner[64];

	json_set(root, "ociVersion", json_new_string(record->oci_version));
	json_set(root, "id", json_new_string(record->id));
	json_set(root, "status", json_new_string(store_status_name(status)));
	json_set(root, "pid", json_new_int(status == STORE_STOPPED ? 0 : record->pid));
	json_set(root, "bundle", json_new_string(record->bundle));
	json_set(root, "rootfs", json_new_string(record->rootfs));
	json_set(root, "created", json_new_string(record->created));
	json_set(root, "annotations", annotations_json(record));
	json_set(root, "owner", json_new_string(state_owner(record->owner, owner)));
	return root;
}

char *state_text(const struct store_record *record, enum store_status status)
{
	struct json_value *root = state_value(record, status);
	char *text = json_print(root, false);

	json_free(root);
	return text;
}

/* Sets the member where the document has something to say. */
static int add_document(const struct container *c, enum store_document which,
                        struct json_value *object, const char *member, struct donjon_error *err)
{
	dj_auto_free char *text = NULL;
	struct json_value *document;
	size_t size;

	if (store_load(c->dir, which, &text, &size, err) < 0)
		return -1;
	if (!text)
		return 0;
	document = json_parse(text, size, DOCUMENT_MAX_BYTES, err);
	if (!document)
		return dj_note(err, "container %s: record of %s", c->record.id, member);
	if (json_size(document) > 0)
		json_set(object, member, document);
	else
		json_free(document);
	return 0;
}

/* What the policy did, and which limits updates have set since. */
static int add_records(const struct container *c, struct json_value *state,
                         struct donjon_error *err)
{
	if (add_document(c, STORE_HARDENING, state, "hardening", err) < 0)
		return -1;
	return add_document(c, STORE_RESOURCES, state, "updated", err);
}

static int show(struct container *c, char **json, struct donjon_error *err)
{
	int status = container_status(c, err), r;
	struct json_value *state;

	if (status < 0)
		return -1;
	state = state_value(&c->record, (enum store_status)status);
	r = add_records(c, state, err);
	if (r == 0)
		*json = json_print(state, true);
	json_free(state);
	return r;
}

int donjon_container_state(struct donjon_runtime *runtime, const char *id, char **json,
                           struct donjon_error *err)
{
	struct container c = CONTAINER_EMPTY;
	int r = container_open(runtime, id, &c, err);

	if (r == 0)
		r = show(&c, json, err);
	container_close(&c);
	return r;
}
