/* Hardened sandboxes without a bundle. */
#include "engine/sandbox.h"

#include "base/cleanup.h"
#include "engine/explain.h"
#include "engine/host.h"
#include "engine/inspect.h"
#include "engine/run.h"
#include "oci/validate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

/* No subreaper: an embedding program's other children are not ours to reap. */
static const struct donjon_create_options run_options = {
	.size = sizeof(run_options),
	.no_subreaper = true,
};

static const char *new_id(struct dj_arena *arena, struct donjon_error *err)
{
	uint64_t number;

	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
		(void)dj_fail_os(err, errno, "make a name for the sandbox");
		return NULL;
	}
	return dj_arena_printf(arena, "sandbox-%016llx", (unsigned long long)number);
}

static int copy_link(int root, const char *name, struct donjon_error *err)
{
	char path[32], target[PATH_MAX];
	ssize_t len;

	(void)snprintf(path, sizeof(path), "/%s", name);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return 0; /* a directory, mounted instead, or not on this host */
	target[len] = '\0';
	return symlinkat(target, root, name) < 0 ? dj_fail_os(err, errno, "make /%s", name) : 0;
}

int sandbox_make_root(int state_dir, struct donjon_error *err)
{
	static const char *const links[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32" };
	dj_auto_close int root = -1;

	if (mkdirat(state_dir, SANDBOX_ROOT_NAME, 0755) < 0)
		return dj_fail_os(err, errno, "make the sandbox's root");
	root = openat(state_dir, SANDBOX_ROOT_NAME,
	              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return dj_fail_os(err, errno, "open the sandbox's root");
	if (fchmod(root, 0755) < 0) /* whatever the umask is */
		return dj_fail_os(err, errno, "set the mode of the sandbox's root");
	for (size_t i = 0; i < DJ_COUNT(links); i++)
		if (copy_link(root, links[i], err) < 0)
			return -1;
	return 0;
}

/* Like draft_load(), with a configuration of our own instead of a bundle. */
static int load(struct draft *draft, const struct donjon_runtime *runtime,
                const struct donjon_sandbox_options *o, struct donjon_error *err)
{
	draft->die_with_parent = true;
	draft->id = new_id(&draft->arena, err);
	if (!draft->id)
		return -1;
	draft->bundle = dj_arena_printf(&draft->arena, "%s/%s",
	                                runtime_root(runtime, &draft->arena), draft->id);
	draft->rootfs = o->root ? draft_absolute(draft, NULL, o->root, err)
	                        : draft_absolute(draft, draft->bundle, SANDBOX_ROOT_NAME, err);
	if (!draft->rootfs || (o->root && draft_check_rootfs(draft, err) < 0) ||
	    host_probe(&draft->host, err) < 0 || sandbox_spec(draft, o, err) < 0 ||
	    oci_validate(&draft->spec, err) < 0)
		return -1;
	return inspect_policy_request(draft, runtime, &run_options, err);
}

static int run(const struct donjon_runtime *runtime, struct draft *draft, bool own_root,
               int *exit_code, struct donjon_error *err)
{
	struct creation c;

	sandbox_config(draft);
	if (creation_begin(&c, runtime, draft, err) < 0 ||
	    (own_root && sandbox_make_root(c.dir, err) < 0)) {
		creation_undo(&c);
		return -1;
	}
	return run_creation(&c, &run_options, exit_code, err);
}

int donjon_sandbox_run(struct donjon_runtime *runtime, const struct donjon_sandbox_options *options,
                       int *exit_code, struct donjon_error *err)
{
	struct donjon_sandbox_options o;
	struct draft draft = { .userns = -1 };
	int r;

	options_copy(&o, sizeof(o), options);
	*exit_code = 0;
	r = load(&draft, runtime, &o, err);
	if (r == 0)
		r = run(runtime, &draft, !o.root, exit_code, err);
	draft_done(&draft);
	return r;
}

int donjon_sandbox_explain(struct donjon_runtime *runtime,
                           const struct donjon_sandbox_options *options, bool json, bool *refused,
                           char **text, struct donjon_error *err)
{
	struct donjon_sandbox_options o;
	struct draft draft = { .userns = -1 };
	int r;

	options_copy(&o, sizeof(o), options);
	r = load(&draft, runtime, &o, err);
	if (r == 0)
		r = explain_draft(&draft, runtime, &run_options, json, refused, text, err);
	draft_done(&draft);
	return r;
}
