/* What the program starts with: privileges it can gain, descriptors, keyring, environment. */
#include "base/cleanup.h"
#include "base/path.h"
#include "policy/harden.h"

#include <limits.h>
#include <string.h>

void harden_no_new_privs(struct harden *h)
{
	struct oci_process *process = &h->spec->process;

	if (!process->set || process->no_new_privileges || overridden(h, "off"))
		return;
	process->no_new_privileges = true;
	harden_changed(h, "/process/noNewPrivileges", "false", "true");
}

void harden_fds(struct harden *h)
{
	if (h->request->preserve_fds && !overridden(h, "preserve"))
		harden_refused(h, NULL,
		               "--preserve-fds or LISTEN_FDS hands descriptors of the host to the container",
		               "fds 0, 1 and 2 only", "preserve");
	/* With a terminal it is that one, whatever ours are. */
	if (h->request->stdio_flaw && !h->spec->process.terminal && !overridden(h, "preserve"))
		harden_refused(h, NULL,
		               harden_text(h, "a standard stream is %s of the host", h->request->stdio_flaw),
		               "files, pipes, sockets and terminals", "preserve");
}

void harden_keyring(struct harden *h)
{
	if (!h->request->no_new_keyring || overridden(h, "inherit"))
		return;
	h->result->settings.force_keyring = true;
	harden_changed(h, NULL, "the caller's session keyring (--no-new-keyring)", "a new one");
}

/* Variables by which a program loads code of somebody else's choice. */
/* clang-format off */
static const char *const loader_variables[] = {
	"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH", "BASH_ENV", "PYTHONPATH",
	"PYTHONSTARTUP", "PYTHONHOME", "PERL5LIB", "PERL5OPT", "RUBYLIB", "RUBYOPT", "NODE_OPTIONS",
	"NODE_PATH", "JAVA_TOOL_OPTIONS",
};
/* clang-format on */

/* The mount that shows the path inside, or NULL for the rootfs. */
static const struct oci_mount *find_mount(const struct oci_spec *spec, const char *path)
{
	const struct oci_mount *best = NULL;
	char clean[PATH_MAX];
	size_t best_len = 0;

	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct oci_mount *mount = &spec->mounts.v[i];

		if (!mount_is_remount(mount) &&
		    path_clean(mount->destination, clean, sizeof(clean)) == 0 &&
		    path_has_prefix(path, clean) && strlen(clean) >= best_len) {
			best = mount;
			best_len = strlen(clean);
		}
	}
	return best;
}

static bool is_writable(const struct oci_spec *spec, const char *path)
{
	const struct oci_mount *mount = find_mount(spec, path);

	if (!mount)
		return !spec->root.readonly;
	if (mount_is_bind(mount) || mount_has_type(mount, "tmpfs") ||
	    mount_has_type(mount, "overlay"))
		return !mount_is_readonly(mount);
	return false;
}

/* The first absolute path in the value that lies in a writable place, or NULL.  A value of more
 * than a few paths is not worth a long look: it counts as writable. */
static char *find_writable(struct harden *h, const char *value)
{
	static const char separators[] = ":;, =\t";
	enum { PATHS_MAX = 64 };
	char clean[PATH_MAX];
	int n = 0;

	for (; *value; value += strcspn(value, separators)) {
		size_t len;
		char *path;

		value += strspn(value, separators);
		len = strcspn(value, separators);
		if (*value != '/')
			continue;
		path = dj_arena_alloc(h->arena, len + 1);
		memcpy(path, value, len);
		if (++n > PATHS_MAX)
			return path;
		if (path_clean(path, clean, sizeof(clean)) == 0 && is_writable(h->spec, clean))
			return path;
	}
	return NULL;
}

/* The last entry of a name wins in most programs; the engine's order is not ours to judge. */
static const char *find_variable(const struct oci_process *process, const char *name, size_t *index)
{
	size_t len = strlen(name);

	for (size_t i = process->env.n; i-- > 0;) {
		if (strncmp(process->env.v[i], name, len) == 0 && process->env.v[i][len] == '=') {
			*index = i;
			return process->env.v[i] + len + 1;
		}
	}
	return NULL;
}

void harden_loader(struct harden *h)
{
	for (size_t i = 0; i < DJ_COUNT(loader_variables); i++) {
		const char *name = loader_variables[i], *value, *path;
		size_t index;

		value = find_variable(&h->spec->process, name, &index);
		path = value ? find_writable(h, value) : NULL;
		if (path && !overridden(h, name))
			harden_refused(h, harden_text(h, "/process/env/%zu", index),
			               harden_text(h, "%s loads code from the writable place %s",
			                           name, path),
			               "a read-only place", name);
	}
}

/* Never to be overridden: whoever can change such a program is root of the host. */
void harden_hooks(struct harden *h)
{
	for (size_t i = 0; i < h->request->hook_flaws.n; i++) {
		const struct policy_hook_flaw *flaw = &h->request->hook_flaws.v[i];

		harden_refused(h, harden_text(h, "/hooks/%s/%zu", flaw->kind, flaw->index),
		               harden_text(h, "(hooks.%s) %s", flaw->kind, flaw->why),
		               "a program and directories that only root may change", NULL);
	}
}
