/* Hooks that run in the container's namespaces (H3, H4). */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "launch/hooks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The state JSON with the pid as the container sees it (J2). */
static char *state_json(const struct dj_plan *plan, const char *status, size_t *size,
			struct donjon_error *err)
{
	const char *tail = plan_text(plan, plan->state_tail);
	char *text;

	*size = strlen(tail) + 512;
	text = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED) {
		(void)dj_fail_os(err, errno, "map memory for the state");
		return NULL;
	}
	/* The id and the version are checked to need no escaping (B32, P1). */
	(void)snprintf(text, *size, "{\"ociVersion\":\"%.32s\",\"id\":\"%.255s\",\"status\":\"%s\",\"pid\":%d,%s}",
		       plan_text(plan, plan->oci_version), plan_text(plan, plan->id), status, (int)getpid(),
		       tail);
	return text;
}

int hooks_create_container(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct plan_hook *hooks = plan_items(s->plan, s->plan->hooks, struct plan_hook);
	int fds[FD_MESSAGE_MAX], r = 0;
	size_t n = FD_MESSAGE_MAX, next = 0, size;
	char *state;

	if (wire_receive(s->wire, WIRE_TELL, row, fds, &n, err) < 0)
		return -1;
	state = state_json(s->plan, "creating", &size, err);
	if (!state)
		r = -1;
	for (uint32_t i = 0; r == 0 && i < s->plan->hooks.n; i++)
		if (hooks[i].kind == OCI_HOOK_CREATE_CONTAINER)
			r = next == n ? dj_fail(err, DONJON_E_VERIFY, "launch protocol: a hook did not come")
				      : hook_run_fd(s->plan, &hooks[i], fds[next++], state,
						    plan_text(s->plan, s->plan->bundle), err);
	for (size_t i = 0; i < n; i++)
		dj_close(&fds[i]);
	if (state)
		(void)munmap(state, size);
	return r < 0 ? dj_note(err, "hooks.createContainer") : 0;
}

int hooks_start_container(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct plan_hook *hooks = plan_items(s->plan, s->plan->hooks, struct plan_hook);
	size_t size;
	char *state = state_json(s->plan, "created", &size, err);
	int r = state ? 0 : -1;

	(void)row;
	for (uint32_t i = 0; r == 0 && i < s->plan->hooks.n; i++) {
		dj_auto_close int program = -1;

		if (hooks[i].kind != OCI_HOOK_START_CONTAINER)
			continue;
		program = hook_open(plan_text(s->plan, hooks[i].path), err);
		r = program < 0 ? -1 : hook_run_fd(s->plan, &hooks[i], program, state, "", err);
	}
	if (state)
		(void)munmap(state, size);
	return r < 0 ? dj_note(err, "hooks.startContainer") : 0;
}
