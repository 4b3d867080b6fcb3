/*
 * What of a sandbox's configuration is kept, in a bundle's words: a further process is made of it
 * (exec), and an update is judged by it.  The file systems are in neither.
 */
#include "engine/sandbox.h"

#include "oci/names.h"
#include "wrap/json.h"

#include <string.h>

/* Bytes that are no text become '?' here, and here only: the sandbox has been given them as they
 * are. */
static struct json_value *strings(const struct oci_strings *list)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < list->n; i++)
		json_push(array, json_new_string(list->v[i]));
	return array;
}

static struct json_value *process(const struct oci_process *p)
{
	struct json_value *object = json_new_object(), *user = json_new_object();

	json_set(user, "uid", json_new_uint(p->user.uid));
	json_set(user, "gid", json_new_uint(p->user.gid));
	json_set(object, "user", user);
	json_set(object, "args", strings(&p->args));
	json_set(object, "env", strings(&p->env));
	json_set(object, "cwd", json_new_string(p->cwd));
	json_set(object, "capabilities", json_new_object()); /* none */
	json_set(object, "noNewPrivileges", json_new_bool(p->no_new_privileges));
	return object;
}

static struct json_value *namespaces(const struct oci_linux *linux_)
{
	struct json_value *array = json_new_array();

	for (size_t ns = 0; ns < OCI_NS_COUNT; ns++) {
		struct json_value *object;

		if (!linux_->namespaces[ns].set)
			continue;
		object = json_new_object();
		json_set(object, "type", json_new_string(oci_word_name(&oci_namespace_words, ns)));
		json_push(array, object);
	}
	return array;
}

static struct json_value *id_maps(const struct oci_id_maps *maps)
{
	struct json_value *array = json_new_array();

	for (size_t i = 0; i < maps->n; i++) {
		struct json_value *object = json_new_object();

		json_set(object, "containerID", json_new_uint(maps->v[i].container_id));
		json_set(object, "hostID", json_new_uint(maps->v[i].host_id));
		json_set(object, "size", json_new_uint(maps->v[i].size));
		json_push(array, object);
	}
	return array;
}

static struct json_value *resources(const struct oci_resources *r)
{
	struct json_value *object = json_new_object(), *limit;

	if (r->memory.limit.set) {
		limit = json_new_object();
		json_set(limit, "limit", json_new_int(r->memory.limit.v));
		json_set(object, "memory", limit);
	}
	if (r->pids_limit.set) {
		limit = json_new_object();
		json_set(limit, "limit", json_new_int(r->pids_limit.v));
		json_set(object, "pids", limit);
	}
	return object;
}

static struct json_value *linux_of(const struct oci_linux *linux_)
{
	struct json_value *object = json_new_object();

	json_set(object, "namespaces", namespaces(linux_));
	if (linux_->uid_mappings.n > 0) {
		json_set(object, "uidMappings", id_maps(&linux_->uid_mappings));
		json_set(object, "gidMappings", id_maps(&linux_->gid_mappings));
	}
	json_set(object, "resources", resources(&linux_->resources));
	return object;
}

void sandbox_config(struct draft *draft)
{
	const struct oci_spec *spec = &draft->spec;
	struct json_value *object = json_new_object(), *root = json_new_object();

	json_set(root, "path", json_new_string(spec->root.path));
	json_set(root, "readonly", json_new_bool(spec->root.readonly));
	json_set(object, "ociVersion", json_new_string(spec->oci_version));
	json_set(object, "root", root);
	json_set(object, "hostname", json_new_string(spec->hostname));
	json_set(object, "process", process(&spec->process));
	json_set(object, "linux", linux_of(&spec->linux));
	draft->config = json_print(object, false);
	json_free(object);
	draft->config_size = strlen(draft->config);
}
