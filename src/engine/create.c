/* Making a container that waits for `start` (T1). */
#include "engine/creation.h"
#include "engine/deliver.h"

static int make(struct creation *c, const struct donjon_create_options *o, struct donjon_error *err)
{
	if (draft_decide(c->draft, c->runtime, o, err) < 0 || creation_make(c, o, true, err) < 0)
		return -1;
	/* The very last step: whoever sees it may rely on everything else (K8). */
	return o->pid_file ? deliver_pid_file(o->pid_file, c->launch.pid, err) : 0;
}

static int create(const struct donjon_runtime *runtime, struct draft *draft,
                  const struct donjon_create_options *o, struct donjon_error *err)
{
	struct creation c;
	int r = creation_begin(&c, runtime, draft, err);

	if (r == 0)
		r = make(&c, o, err);
	if (r == 0)
		creation_done(&c);
	else
		creation_undo(&c);
	return r;
}

int donjon_container_create(struct donjon_runtime *runtime, const char *id,
                            const struct donjon_create_options *options, struct donjon_error *err)
{
	const struct donjon_create_options o = draft_options(options);
	struct draft draft = { .id = id, .userns = -1 };
	int r;

	if (store_check_id(id, err) < 0 || deliver_check_preserved(o.listen_fds, o.preserve_fds, err) < 0)
		return -1;
	r = draft_load(&draft, runtime, &o, err);
	if (r == 0)
		r = creation_check(&draft, &o, false, err);
	if (r == 0)
		r = create(runtime, &draft, &o, err);
	draft_done(&draft);
	return r;
}
