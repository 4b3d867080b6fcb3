/* What a container uses and what happens to it (contract N8, F51, F52). */
#include "donjon/events.h"

#include "base/cleanup.h"
#include "engine/container.h"
#include "engine/rdt.h"
#include "wrap/json.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

struct watch {
	struct container container;
	struct cgroup cgroup;
	struct oom_watch oom;
	int pidfd;
};
#define WATCH_EMPTY                                                                                \
	{                                                                                          \
		.container = CONTAINER_EMPTY, .cgroup = CGROUP_EMPTY, .oom = { .fd = -1 },         \
		.pidfd = -1                                                                        \
	}

static int open_watch(const struct donjon_runtime *runtime, const char *id, struct watch *w,
                      struct donjon_error *err)
{
	int alive;

	if (container_open(runtime, id, &w->container, err) < 0)
		return -1;
	alive = container_process(&w->container, &w->pidfd, err);
	if (alive < 0)
		return -1;
	if (!alive)
		return dj_fail(err, DONJON_E_STATUS, "container not running");
	if (w->container.record.cgroup_path[0] == '\0')
		return dj_fail(err, DONJON_E_UNSUPPORTED,
		               "container %s has no cgroup: what it uses is not known", id);
	return container_cgroup(&w->container, &w->cgroup, err);
}

static void close_watch(struct watch *w)
{
	dj_close(&w->oom.fd);
	dj_close(&w->pidfd);
	cgroup_close(&w->cgroup);
	container_close(&w->container);
}

static char *event_text(const struct watch *w, const char *type, struct json_value *data_consume)
{
	struct json_value *object = json_new_object();
	char *text;

	json_set(object, "type", json_new_string(type));
	json_set(object, "id", json_new_string(w->container.record.id));
	if (data_consume)
		json_set(object, "data", data_consume);
	text = json_print(object, false);
	json_free(object);
	return text;
}

static char *sample(const struct watch *w)
{
	struct json_value *data = cgroup_stats(&w->container.observer.host, &w->cgroup);

	json_set(data, "intel_rdt", rdt_stats(&w->container.record));
	return event_text(w, "stats", data);
}

int donjon_container_stats(struct donjon_runtime *runtime, const char *id, char **json,
                           struct donjon_error *err)
{
	struct watch w = WATCH_EMPTY;
	int r = open_watch(runtime, id, &w, err);

	if (r == 0)
		*json = sample(&w);
	close_watch(&w);
	return r;
}

struct listener {
	int (*event)(void *data, const char *json);
	void *data;
};

static int tell(const struct listener *listener, char *text_consume)
{
	int r = listener->event(listener->data, text_consume);

	free(text_consume);
	return r;
}

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail for this clock */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Sleeps until something has happened or it is time for a sample. */
static int wait_until(const struct watch *w, int64_t when_ms, bool *ended, struct donjon_error *err)
{
	struct pollfd fds[] = {
		{ .fd = w->pidfd, .events = POLLIN },
		{ .fd = w->oom.fd, .events = POLLIN }, /* -1 is never ready */
	};
	int64_t left = when_ms - now_ms();

	if (poll(fds, DJ_COUNT(fds), left > 0 ? (int)left : 0) < 0 && errno != EINTR)
		return dj_fail_os(err, errno, "wait for events of container %s",
		                  w->container.record.id);
	*ended = fds[0].revents != 0;
	return 0;
}

static int watch(struct watch *w, int64_t interval_ms, const struct listener *listener,
                 struct donjon_error *err)
{
	int64_t next = now_ms() + interval_ms;
	bool ended = false;

	if (cgroup_watch_oom(&w->cgroup, &w->oom, err) < 0)
		return -1;
	while (!ended) {
		if (wait_until(w, next, &ended, err) < 0)
			return -1;
		if (cgroup_oom_happened(&w->cgroup, &w->oom) &&
		    tell(listener, event_text(w, "oom", NULL)) != 0)
			return 0;
		if (ended || now_ms() < next)
			continue;
		if (tell(listener, sample(w)) != 0)
			return 0;
		next = now_ms() + interval_ms;
	}
	return 0;
}

int donjon_container_watch(struct donjon_runtime *runtime, const char *id, unsigned interval_ms,
                           int (*event)(void *data, const char *json), void *data,
                           struct donjon_error *err)
{
	const struct listener listener = { .event = event, .data = data };
	struct watch w = WATCH_EMPTY;
	int r;

	if (interval_ms == 0 || interval_ms > INT32_MAX)
		return dj_fail(err, DONJON_E_USAGE,
		               "the interval of events must be between 1 ms "
		               "and 24 days");
	r = open_watch(runtime, id, &w, err);
	if (r == 0)
		r = watch(&w, interval_ms, &listener, err);
	close_watch(&w);
	return r;
}
