#include "engine/listener.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "engine/state.h"
#include "wrap/json.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* The specification's "container process state". */
static char *process_state(const struct listener *l)
{
	struct json_value *root = json_new_object(), *fds = json_new_array();
	char *text;

	json_push(fds, json_new_string("seccompFd"));
	json_set(root, "ociVersion", json_new_string(l->record->oci_version));
	json_set(root, "fds", fds);
	json_set(root, "pid", json_new_int(l->pid));
	json_set(root, "metadata", json_new_string(l->record->listener_metadata));
	json_set(root, "state", state_value(l->record, l->status));
	text = json_print(root, false);
	json_free(root);
	return text;
}

/* One connection for one state, the descriptor with its first bytes. */
static int give(void *data, int fd, struct donjon_error *err)
{
	const struct listener *l = data;
	const char *path = l->record->listener_path;
	dj_auto_close int agent = fd_connect_unix(AT_FDCWD, path, SOCK_STREAM);
	dj_auto_free char *text = NULL;
	int r;

	if (agent < 0)
		return dj_fail_os(err, -agent, "linux.seccomp.listenerPath: connect to %s", path);
	text = process_state(l);
	r = fd_send(agent, text, strlen(text), &fd, 1);
	return r < 0 ? dj_fail_os(err, -r, "linux.seccomp.listenerPath: send to %s", path) : 0;
}

struct launch_listener listener_for_launch(struct listener *listener)
{
	return (struct launch_listener){ .give = *listener->record->listener_path ? give : NULL,
		                         .data = listener };
}
