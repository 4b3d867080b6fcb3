/* Which ids beyond its own an unprivileged caller may map (subuid(5)). */
#include "engine/inspect.h"

#include "launch/launch.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 64, LINE_MAX_BYTES = 256 };

/* The file only: name services would load libraries, and may ask the network. */
static void own_name(uid_t uid, char name[static NAME_MAX_BYTES])
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user;

	name[0] = '\0';
	while (file && !name[0] && (user = fgetpwent(file)))
		if (user->pw_uid == uid)
			(void)snprintf(name, NAME_MAX_BYTES, "%s", user->pw_name);
	if (file)
		(void)fclose(file); /* read only: nothing can be lost */
}

/* "name:first:count", or with the uid in the name's place; the first line that is ours. */
static struct host_id_range read_range(const char *path, const char *name, uid_t uid)
{
	FILE *file = fopen(path, "re");
	struct host_id_range range = { 0 };
	char line[LINE_MAX_BYTES], number[16];

	(void)snprintf(number, sizeof(number), "%u", uid);
	while (file && range.size == 0 && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');
		uint32_t first, size;

		if (!colon)
			continue;
		*colon = '\0';
		if ((strcmp(line, number) == 0 || (name[0] && strcmp(line, name) == 0)) &&
		    sscanf(colon + 1, "%u:%u", &first, &size) == 2)
			range = (struct host_id_range){ first, size };
	}
	if (file)
		(void)fclose(file); /* read only: nothing can be lost */
	return range;
}

/* Under no_new_privs the programs that write such maps have no rights to do it. */
void inspect_subids(struct draft *draft)
{
	struct policy_request *r = &draft->request;
	char name[NAME_MAX_BYTES];

	if (draft->host.euid == 0 || draft->spec.linux.namespaces[OCI_NS_USER].set ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || !launch_may_map_granted_ids())
		return;
	own_name(draft->host.euid, name);
	r->granted_uids = read_range("/etc/subuid", name, draft->host.euid);
	r->granted_gids = read_range("/etc/subgid", name, draft->host.euid);
}
