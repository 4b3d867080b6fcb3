/* Which process is to be run: the container's own with the caller's options, or a file's. */
#include "engine/exec.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "oci/decode.h"
#include "oci/validate.h"
#include "wrap/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* ---- the configuration kept at create ---- */

static int load(const struct joining *j, enum store_document which, const char *what, char **text,
                size_t *size, struct donjon_error *err)
{
	if (store_load(j->container.dir, which, text, size, err) < 0)
		return -1;
	if (!*text)
		return dj_fail(err, DONJON_E_STATUS, "container %s has no %s: nothing can be executed in it",
		               j->container.record.id, what);
	return 0;
}

/* Never the bundle's: that may have been changed, or be gone (S15). */
static int decode_config(struct joining *j, struct donjon_error *err)
{
	struct draft *draft = &j->draft;

	if (load(j, STORE_CONFIG, "configuration", &draft->config, &draft->config_size, err) < 0 ||
	    store_load(j->container.dir, STORE_SECCOMP, &draft->seccomp, &draft->seccomp_size, err) < 0)
		return -1;
	if (oci_decode(draft->config, draft->config_size, &draft->arena, &draft->spec, err) < 0 ||
	    (draft->seccomp && draft_decode_seccomp(draft, err) < 0))
		return dj_note(err, "the configuration kept at create");
	j->configured = draft->spec.process;
	return 0;
}

static int decode_policy(struct joining *j, struct donjon_error *err)
{
	dj_auto_free char *text = NULL;
	size_t size;

	if (load(j, STORE_HARDENING, "record of its policy", &text, &size, err) < 0)
		return -1;
	if (policy_decided_decode(text, size, &j->draft.arena, &j->draft.request, err) < 0)
		return dj_note(err, "the policy record kept at create");
	return 0;
}

/* ---- a file's process ---- */

static int read_process(struct joining *j, const char *path, struct donjon_error *err)
{
	dj_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	dj_auto_free char *text = NULL;
	size_t size;

	if (fd < 0)
		return dj_fail_os(err, errno, "open process file %s", path);
	if (file_read_regular(fd, OCI_CONFIG_MAX, path, &text, &size, err) < 0)
		return -1;
	if (oci_decode_process(text, size, &j->draft.arena, &j->draft.spec.process, err) < 0)
		return dj_note(err, "process file %s", path);
	return 0;
}

/* What engines leave out because the runtime knows it: limits, capabilities, umask and labels are the
 * container's, not those of whoever calls us. */
static void fill_gaps(struct oci_process *process, const struct oci_process *own)
{
	if (process->rlimits.n == 0) {
		process->rlimits.v = own->rlimits.v;
		process->rlimits.n = own->rlimits.n;
	}
	if (!process->capabilities.set)
		process->capabilities = own->capabilities;
	if (!process->user.umask.set)
		process->user.umask = own->user.umask;
	if (!process->oom_score_adj.set)
		process->oom_score_adj = own->oom_score_adj;
	if (!process->apparmor_profile)
		process->apparmor_profile = own->apparmor_profile;
	if (!process->selinux_label)
		process->selinux_label = own->selinux_label;
	if (!process->scheduler.set)
		process->scheduler = own->scheduler;
	if (!process->io_priority.set)
		process->io_priority = own->io_priority;
	if (!process->cpu_affinity_initial && !process->cpu_affinity_final) {
		process->cpu_affinity_initial = own->cpu_affinity_initial;
		process->cpu_affinity_final = own->cpu_affinity_final;
	}
}

/* ---- the caller's options ---- */

/* Decimal digits and nothing else, below the number that means "no id" (B34, CVE-2026-30892). */
static bool read_id(const char *text, size_t len, uint32_t *out)
{
	uint64_t id = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		id = id * 10 + (uint64_t)(text[i] - '0');
	}
	*out = (uint32_t)id;
	return id < UINT32_MAX;
}

static int set_user(struct oci_user *user, const char *text, struct donjon_error *err)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (!read_id(text, len, &user->uid) ||
	    (colon && !read_id(colon + 1, strlen(colon + 1), &user->gid)))
		return dj_fail(err, DONJON_E_USAGE, "user \"%.64s\": want UID or UID:GID as numbers", text);
	return 0;
}

static int add_gids(struct joining *j, const struct donjon_exec_options *o, struct donjon_error *err)
{
	struct oci_user *user = &j->draft.spec.process.user;
	size_t n = user->additional_gids.n;
	uint32_t *gids = dj_arena_array(&j->draft.arena, n + o->n_additional_gids + 1, sizeof(*gids));

	if (n > 0)
		memcpy(gids, user->additional_gids.v, n * sizeof(*gids));
	for (size_t i = 0; i < o->n_additional_gids; i++)
		if (!read_id(o->additional_gids[i], strlen(o->additional_gids[i]), &gids[n++]))
			return dj_fail(err, DONJON_E_USAGE, "additional gid \"%.64s\": want a number",
			               o->additional_gids[i]);
	user->additional_gids.v = gids;
	user->additional_gids.n = n;
	return 0;
}

static struct oci_strings join_strings(struct joining *j, const struct oci_strings *first,
                                       const char *const *then, size_t n)
{
	struct oci_strings all = { .v = dj_arena_array(&j->draft.arena, first->n + n + 1, sizeof(*all.v)) };

	for (size_t i = 0; i < first->n; i++)
		all.v[all.n++] = first->v[i];
	for (size_t i = 0; i < n; i++)
		all.v[all.n++] = dj_arena_strdup(&j->draft.arena, then[i]);
	return all;
}

/* Ambient only where it is inheritable already: nothing is ever added to that set (F39). */
static int add_caps(struct oci_capabilities *caps, const struct donjon_exec_options *o,
                    struct donjon_error *err)
{
	for (size_t i = 0; i < o->n_caps; i++) {
		int number = caps_number(o->caps[i]);
		uint64_t bit;

		if (number < 0 || number > 63)
			return dj_fail(err, DONJON_E_USAGE, "unknown capability \"%.64s\"", o->caps[i]);
		bit = UINT64_C(1) << number;
		caps->set = true;
		caps->bounding |= bit;
		caps->effective |= bit;
		caps->permitted |= bit;
		caps->ambient |= bit & caps->inheritable;
	}
	return 0;
}

static int check_env(const struct donjon_exec_options *o, struct donjon_error *err)
{
	for (size_t i = 0; i < o->n_env; i++)
		if (!strchr(o->env[i], '=') || o->env[i][0] == '=')
			return dj_fail(err, DONJON_E_USAGE, "environment \"%.64s\": want K=V", o->env[i]);
	return 0;
}

static int apply_options(struct joining *j, const struct donjon_exec_options *o, struct donjon_error *err)
{
	static const struct oci_strings none = { 0 };
	struct oci_process *process = &j->draft.spec.process;
	size_t n = 0;

	while (o->argv && o->argv[n])
		n++;
	if (n == 0)
		return dj_fail(err, DONJON_E_USAGE, "exec: want a command, or a process file");
	process->args = join_strings(j, &none, o->argv, n);
	process->env = join_strings(j, &process->env, o->env, o->n_env);
	process->terminal = o->terminal;
	if (o->cwd)
		process->cwd = dj_arena_strdup(&j->draft.arena, o->cwd);
	if (o->apparmor)
		process->apparmor_profile = dj_arena_strdup(&j->draft.arena, o->apparmor);
	if (o->process_label)
		process->selinux_label = dj_arena_strdup(&j->draft.arena, o->process_label);
	if (check_env(o, err) < 0)
		return -1;
	if ((o->user && set_user(&process->user, o->user, err) < 0) || add_gids(j, o, err) < 0)
		return -1;
	return add_caps(&process->capabilities, o, err);
}

int joining_decode(struct joining *j, const struct donjon_exec_options *o, struct donjon_error *err)
{
	struct oci_process *process = &j->draft.spec.process;

	if (decode_config(j, err) < 0 || decode_policy(j, err) < 0)
		return -1;
	if (o->process ? read_process(j, o->process, err) < 0 : apply_options(j, o, err) < 0)
		return -1;
	fill_gaps(process, &j->configured);
	process->no_new_privileges = process->no_new_privileges || o->no_new_privs;
	return oci_validate(&j->draft.spec, err);
}
