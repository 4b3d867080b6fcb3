#include "engine/runtime.h"

#include "engine/host.h"
#include "policy/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void options_copy(void *to, size_t to_size, const void *from)
{
	size_t size;

	memset(to, 0, to_size);
	if (!from)
		return;
	memcpy(&size, from, sizeof(size));
	memcpy(to, from, size < to_size ? size : to_size);
}

static int check_cgroup_manager(const char *name, struct donjon_error *err)
{
	static const char *const known[] = { "cgroupfs", "systemd", "disabled" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]) == 0)
			return 0;
	return dj_fail(err, DONJON_E_USAGE,
	               "unknown cgroup manager \"%s\": cgroupfs, systemd or disabled", name);
}

static char *copy_text(struct dj_arena *arena, const char *text)
{
	return text ? dj_arena_strdup(arena, text) : NULL;
}

static int fill(struct donjon_runtime *rt, const struct donjon_runtime_options *o,
                struct donjon_error *err)
{
	const char *manager = o->cgroup_manager ? o->cgroup_manager : "cgroupfs";

	if (check_cgroup_manager(manager, err) < 0)
		return -1;
	rt->level = o->level ? policy_level_from_name(o->level) : -1;
	if (o->level && rt->level < 0)
		return dj_fail(err, DONJON_E_USAGE, "unknown policy level \"%s\"", o->level);
	rt->cgroup_manager = dj_arena_strdup(&rt->arena, manager);
	/* Empty is unset, as for $XDG_RUNTIME_DIR (Z9). */
	rt->root = o->root && o->root[0] ? dj_arena_strdup(&rt->arena, o->root) : NULL;
	rt->notify_socket = o->notify_socket && o->notify_socket[0]
	                            ? dj_arena_strdup(&rt->arena, o->notify_socket)
	                            : NULL;
	rt->policy_file = copy_text(&rt->arena, o->policy_file);
	rt->overrides = dj_arena_array(&rt->arena, o->n_overrides + 1, sizeof(*rt->overrides));
	for (size_t i = 0; i < o->n_overrides; i++)
		rt->overrides[rt->n_overrides++] = dj_arena_strdup(&rt->arena, o->overrides[i]);
	return 0;
}

int donjon_runtime_new(const struct donjon_runtime_options *options, struct donjon_runtime **out,
                       struct donjon_error *err)
{
	struct donjon_runtime_options o;
	struct donjon_runtime *rt = calloc(1, sizeof(*rt));

	if (!rt)
		return dj_fail_os(err, ENOMEM, "make a runtime");
	options_copy(&o, sizeof(o), options);
	if (fill(rt, &o, err) < 0) {
		donjon_runtime_free(rt);
		return -1;
	}
	*out = rt;
	return 0;
}

void donjon_runtime_free(struct donjon_runtime *runtime)
{
	if (!runtime)
		return;
	dj_arena_done(&runtime->arena);
	free(runtime);
}

void donjon_free(void *p)
{
	free(p);
}

/* Whose state is it (F1, runc's rule)?  A user's, unless we are root, and not merely root of a user
 * namespace that a user made.  Empty is unset: podman sends that for root (V1). */
static const char *user_runtime_dir(void)
{
	const char *dir = getenv("XDG_RUNTIME_DIR");
	const char *user = getenv("USER");

	if (!dir || !dir[0])
		return NULL;
	if (geteuid() != 0)
		return dir;
	if (host_is_initial_userns() || (user && strcmp(user, "root") == 0))
		return NULL;
	return dir;
}

char *runtime_root(const struct donjon_runtime *runtime, struct dj_arena *arena)
{
	const char *dir = user_runtime_dir();

	if (runtime->root)
		return runtime->root;
	if (dir)
		return dj_arena_printf(arena, "%s/donjon", dir);
	if (geteuid() == 0)
		return dj_arena_strdup(arena, "/run/donjon");
	/* A user without a session.  A name others could take before us only makes us refuse:
	 * store_open() accepts neither a link nor a foreign directory. */
	return dj_arena_printf(arena, "/tmp/donjon-%u", geteuid());
}

int runtime_open_store(const struct donjon_runtime *runtime, bool create, struct store *out,
                       struct donjon_error *err)
{
	dj_auto_arena struct dj_arena arena = { 0 };

	if (store_open(runtime_root(runtime, &arena), create, out, err) < 0)
		return -1;
	/* The sticky bit tells cleaners of $XDG_RUNTIME_DIR to leave it alone. */
	if (create && !runtime->root && (geteuid() != 0 || user_runtime_dir()))
		(void)fchmod(out->root_fd, 01700); /* only a hint */
	return 0;
}
