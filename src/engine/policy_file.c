/* What the administrator and the caller ask of the policy. */
#include "engine/inspect.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { OVERFLOW_UID = 65534 };

static const char system_policy[] = "/etc/donjon/policy.json";

/* Inside a user namespace the host's root is not mapped and shows as the overflow id. */
static bool is_roots(const struct stat *st, const struct host_facts *host)
{
	return st->st_uid == 0 || (!host->initial_userns && st->st_uid == OVERFLOW_UID);
}

/* Whoever may write the file decides what every container may do. */
static int check_owner(int fd, const char *path, bool ours_is_fine, const struct host_facts *host,
                       struct donjon_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "look at policy file %s", path);
	if (!is_roots(&st, host) && !(ours_is_fine && st.st_uid == host->euid))
		return dj_fail(err, DONJON_E_USAGE,
		               "policy file %s belongs to uid %u: it must be root's", path,
		               st.st_uid);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return dj_fail(err, DONJON_E_USAGE,
		               "policy file %s may be written by others (mode %04o)", path,
		               st.st_mode & 07777);
	return 0;
}

static int read_policy_file(struct draft *draft, const char *chosen, struct donjon_error *err)
{
	const char *path = chosen ? chosen : system_policy;
	dj_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	dj_auto_free char *text = NULL;
	size_t size;

	if (fd < 0 && errno == ENOENT && !chosen)
		return 0;
	if (fd < 0)
		return dj_fail_os(err, errno, "open policy file %s", path);
	if (check_owner(fd, path, chosen, &draft->host, err) < 0 ||
	    file_read_regular(fd, POLICY_FILE_MAX, path, &text, &size, err) < 0)
		return -1;
	if (policy_file_decode(text, size, &draft->arena, &draft->request.file, err) < 0)
		return dj_note(err, "policy file %s", path);
	return 0;
}

int inspect_policy_request(struct draft *draft, const struct donjon_runtime *runtime,
                           const struct donjon_create_options *options, struct donjon_error *err)
{
	struct policy_request *r = &draft->request;

	r->level = runtime->level;
	r->preserve_fds = options->preserve_fds > 0;
	r->no_pivot = options->no_pivot;
	r->no_new_keyring = options->no_new_keyring;
	r->bundle = draft->bundle;
	r->rootfs = draft->rootfs;
	if (runtime->n_overrides > 0)
		r->overrides.v = dj_arena_array(&draft->arena, runtime->n_overrides,
		                                sizeof(*r->overrides.v));
	for (; r->overrides.n < runtime->n_overrides; r->overrides.n++)
		if (policy_override_parse(runtime->overrides[r->overrides.n], &draft->arena,
		                          &r->overrides.v[r->overrides.n], err) < 0)
			return -1;
	return read_policy_file(draft, runtime->policy_file, err);
}
