/* hooks.trusted: what runs on the host as the runtime must not be anybody else's to change. */
#include "engine/inspect.h"

#include "base/cleanup.h"
#include "engine/hooks.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { UNMAPPED_UID = 65534 }; /* what a user namespace shows for root of the host */

static bool is_trusted_owner(const struct draft *draft, uid_t uid)
{
	return uid == 0 || uid == draft->host.euid ||
	       (!draft->host.initial_userns && uid == UNMAPPED_UID);
}

/* Why this file or directory cannot be trusted; NULL if it can, or cannot be seen: then the launch
 * says so. */
static char *judge(struct draft *draft, const char *path, bool is_parent)
{
	dj_auto_close int fd = open(path, O_PATH | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return NULL;
	/* Of magic links (Docker's is /proc/PID/exe) the file that is opened counts (decision 22).
	 */
	if (is_parent && fs.f_type == PROC_SUPER_MAGIC)
		return NULL;
	if (!is_trusted_owner(draft, st.st_uid))
		return dj_arena_printf(&draft->arena, "%s belongs to uid %u", path, st.st_uid);
	/* Neither is a sticky directory enough: anybody may make the program before it is there. */
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return dj_arena_printf(&draft->arena, "%s may be written by others (mode %04o)",
		                       path, st.st_mode & 07777u);
	return NULL;
}

static char *find_flaw(struct draft *draft, const char *path)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		const char *parent = slash == path ? "/"
		                                   : dj_arena_printf(&draft->arena, "%.*s",
		                                                     (int)(slash - path), path);
		char *why = judge(draft, parent, true);

		if (why)
			return why;
	}
	return judge(draft, path, false);
}

static void add_flaw(struct draft *draft, enum oci_hook_kind kind, size_t index, char *why)
{
	struct policy_request *r = &draft->request;

	r->hook_flaws.v[r->hook_flaws.n++] = (struct policy_hook_flaw){
		.kind = hooks_kind_name(kind),
		.index = index,
		.why = why,
	};
}

void inspect_hooks(struct draft *draft)
{
	const struct oci_hooks *hooks = draft->spec.hooks;
	size_t total = 0;

	for (size_t kind = 0; kind < OCI_HOOK_COUNT; kind++)
		total += hooks[kind].n;
	if (total == 0)
		return;
	draft->request.hook_flaws.v =
	        dj_arena_array(&draft->arena, total, sizeof(*draft->request.hook_flaws.v));
	for (size_t kind = 0; kind < OCI_HOOK_COUNT; kind++) {
		if (kind == OCI_HOOK_START_CONTAINER)
			continue; /* the image's */
		for (size_t i = 0; i < hooks[kind].n; i++) {
			char *why = find_flaw(draft, hooks[kind].v[i].path);

			if (why)
				add_flaw(draft, (enum oci_hook_kind)kind, i, why);
		}
	}
}
