#include "wrap/systemd.h"

#include "base/cleanup.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<systemd/sd-bus.h>)

#include <dlfcn.h>
#include <systemd/sd-bus.h>
#include <time.h>

bool systemd_is_supported(void) { return true; }

#define SERVICE "org.freedesktop.systemd1"
#define OBJECT  "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

enum { JOB_WAIT_S = 30 };

/* clang-format off */
#define FUNCTIONS(_) \
	_(sd_bus_open_system) _(sd_bus_open_user) _(sd_bus_flush_close_unref) _(sd_bus_call) \
	_(sd_bus_call_method) _(sd_bus_match_signal) _(sd_bus_process) _(sd_bus_wait) \
	_(sd_bus_message_new_method_call) _(sd_bus_message_append) _(sd_bus_message_append_array) \
	_(sd_bus_message_append_strv) _(sd_bus_message_open_container) _(sd_bus_message_close_container) \
	_(sd_bus_message_read) _(sd_bus_message_unref) _(sd_bus_error_free) _(sd_bus_get_property_string) \
	_(sd_bus_error_has_name) _(sd_bus_path_encode)
/* clang-format on */

struct systemd {
	void *library;
	sd_bus *bus;
	char job[256];    /* object path of the job waited for */
	char result[32];  /* how it ended, "" until then */
#define MEMBER(name) __typeof__(name) *name;
	FUNCTIONS(MEMBER)
#undef MEMBER
};

static int load(struct systemd *s, struct donjon_error *err)
{
	static const char *const names[] = {
#define NAME(name) #name,
		FUNCTIONS(NAME)
#undef NAME
	};
	void *const targets[] = {
#define TARGET(name) &s->name,
		FUNCTIONS(TARGET)
#undef TARGET
	};

	s->library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	for (size_t i = 0; s->library && i < DJ_COUNT(names); i++) {
		void *symbol = dlsym(s->library, names[i]);

		if (!symbol)
			return dj_fail(err, DONJON_E_UNSUPPORTED, "libsystemd.so.0 has no %s", names[i]);
		memcpy(targets[i], &symbol, sizeof(symbol));
	}
	if (s->library)
		return 0;
	log_debug("%s", dlerror());
	return dj_fail(err, DONJON_E_UNSUPPORTED,
		       "the systemd cgroup manager needs libsystemd.so.0, which cannot be loaded");
}

/* What systemd said, in its words; never its error's name alone. */
static int fail(struct systemd *s, sd_bus_error *error, int r, const char *what, const char *unit,
		struct donjon_error *err)
{
	(void)dj_fail(err, DONJON_E_SYSTEM, "systemd: %s %s: %s", what, unit,
		      error && error->message ? error->message : strerror(-r));
	err->os = r < 0 ? -r : 0;
	if (error)
		s->sd_bus_error_free(error);
	return -1;
}

static int job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct systemd *s = data;
	const char *job, *unit, *result;
	uint32_t id;

	(void)error;
	if (s->sd_bus_message_read(message, "uoss", &id, &job, &unit, &result) >= 0 &&
	    strcmp(job, s->job) == 0)
		(void)snprintf(s->result, sizeof(s->result), "%s", result);
	return 0;
}

struct systemd *systemd_open(bool user, struct donjon_error *err)
{
	struct systemd *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		(void)dj_fail_os(err, ENOMEM, "reach systemd");
		return NULL;
	}
	if (load(s, err) < 0) {
		systemd_close(s);
		return NULL;
	}
	r = user ? s->sd_bus_open_user(&s->bus) : s->sd_bus_open_system(&s->bus);
	/* Before the first job, whose end must not be missed. */
	if (r >= 0)
		r = s->sd_bus_match_signal(s->bus, NULL, SERVICE, OBJECT, MANAGER, "JobRemoved", job_removed, s);
	if (r >= 0)
		r = s->sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "Subscribe", NULL, NULL, NULL);
	if (r < 0) {
		(void)dj_fail(err, DONJON_E_SYSTEM, "reach %s systemd over D-Bus: %s",
			      user ? "the user's" : "the system's",
			      r == -ENOMEDIUM ? "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set"
					      : strerror(-r));
		err->os = -r;
		systemd_close(s);
		return NULL;
	}
	return s;
}

void systemd_close(struct systemd *s)
{
	if (!s)
		return;
	if (s->bus)
		(void)s->sd_bus_flush_close_unref(s->bus);
	if (s->library)
		(void)dlclose(s->library);
	free(s);
}

static int append_value(struct systemd *s, sd_bus_message *message, const struct systemd_property *p)
{
	static const char *const types[] = {
		[SYSTEMD_BOOL] = "b",	 [SYSTEMD_INT] = "i",	   [SYSTEMD_UINT64] = "t",
		[SYSTEMD_STRING] = "s", [SYSTEMD_STRINGS] = "as", [SYSTEMD_BYTES] = "ay",
	};
	int r = s->sd_bus_message_open_container(message, 'v', types[p->type]);

	if (r < 0)
		return r;
	switch (p->type) {
	case SYSTEMD_BOOL:
	case SYSTEMD_INT:
		r = s->sd_bus_message_append(message, types[p->type], (int)p->integer);
		break;
	case SYSTEMD_UINT64:
		r = s->sd_bus_message_append(message, "t", p->number);
		break;
	case SYSTEMD_STRING:
		r = s->sd_bus_message_append(message, "s", p->text);
		break;
	case SYSTEMD_STRINGS:
		r = s->sd_bus_message_append_strv(message, (char **)(uintptr_t)p->strings);
		break;
	case SYSTEMD_BYTES:
		r = s->sd_bus_message_append_array(message, 'y', p->bytes, p->n_bytes);
		break;
	}
	return r < 0 ? r : s->sd_bus_message_close_container(message);
}

static int append_properties(struct systemd *s, sd_bus_message *message,
			     const struct systemd_property *properties, size_t n, pid_t pid)
{
	int r = s->sd_bus_message_open_container(message, 'a', "(sv)");

	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = s->sd_bus_message_open_container(message, 'r', "sv");
		if (r >= 0)
			r = s->sd_bus_message_append(message, "s", properties[i].name);
		if (r >= 0)
			r = append_value(s, message, &properties[i]);
		if (r >= 0)
			r = s->sd_bus_message_close_container(message);
	}
	if (r >= 0 && pid > 0)
		r = s->sd_bus_message_append(message, "(sv)", "PIDs", "au", 1, (uint32_t)pid);
	return r < 0 ? r : s->sd_bus_message_close_container(message);
}

static int wait_for_job(struct systemd *s, sd_bus_message *reply, const char *what, const char *unit,
			struct donjon_error *err)
{
	time_t end = time(NULL) + JOB_WAIT_S;
	const char *job;
	int r = s->sd_bus_message_read(reply, "o", &job);

	if (r < 0)
		return fail(s, NULL, r, what, unit, err);
	(void)snprintf(s->job, sizeof(s->job), "%s", job);
	s->result[0] = '\0';
	while (!s->result[0]) {
		r = s->sd_bus_process(s->bus, NULL);
		if (r == 0)
			r = s->sd_bus_wait(s->bus, UINT64_C(1000000));
		if (r < 0 && r != -EINTR)
			return fail(s, NULL, r, what, unit, err);
		if (time(NULL) > end)
			return dj_fail(err, DONJON_E_SYSTEM, "systemd: %s %s: no answer within %d s", what, unit,
				       JOB_WAIT_S);
	}
	if (strcmp(s->result, "done") != 0)
		return dj_fail(err, DONJON_E_SYSTEM, "systemd: %s %s: the job %s", what, unit, s->result);
	return 0;
}

static int call_start(struct systemd *s, const char *unit, pid_t pid, const struct systemd_property *properties,
		      size_t n, sd_bus_error *error, sd_bus_message **reply)
{
	sd_bus_message *call = NULL;
	int r = s->sd_bus_message_new_method_call(s->bus, &call, SERVICE, OBJECT, MANAGER, "StartTransientUnit");

	if (r >= 0)
		r = s->sd_bus_message_append(call, "ss", unit, "fail");
	if (r >= 0)
		r = append_properties(s, call, properties, n, pid);
	if (r >= 0)
		r = s->sd_bus_message_append(call, "a(sa(sv))", 0);
	if (r >= 0)
		r = s->sd_bus_call(s->bus, call, 0, error, reply);
	(void)s->sd_bus_message_unref(call);
	return r;
}

static void reset_failed(struct systemd *s, const char *unit)
{
	/* Mostly it has not failed. */
	(void)s->sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "ResetFailedUnit", NULL, NULL, "s", unit);
}

int systemd_start_scope(struct systemd *s, const char *unit, pid_t pid,
			const struct systemd_property *properties, size_t n, struct donjon_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	int r = call_start(s, unit, pid, properties, n, &error, &reply);

	/* What is left of a scope of that name that failed; one that lives stays in the way (G2). */
	if (r < 0 && s->sd_bus_error_has_name(&error, SERVICE ".UnitExists")) {
		s->sd_bus_error_free(&error);
		reset_failed(s, unit);
		r = call_start(s, unit, pid, properties, n, &error, &reply);
	}
	r = r < 0 ? fail(s, &error, r, "start", unit, err) : wait_for_job(s, reply, "start", unit, err);
	(void)s->sd_bus_message_unref(reply);
	return r;
}

int systemd_set_properties(struct systemd *s, const char *unit, const struct systemd_property *properties,
			   size_t n, struct donjon_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *call = NULL;
	int r = s->sd_bus_message_new_method_call(s->bus, &call, SERVICE, OBJECT, MANAGER, "SetUnitProperties");

	if (r >= 0)
		r = s->sd_bus_message_append(call, "sb", unit, 1 /* for as long as it runs */);
	if (r >= 0)
		r = append_properties(s, call, properties, n, 0);
	if (r >= 0)
		r = s->sd_bus_call(s->bus, call, 0, &error, NULL);
	(void)s->sd_bus_message_unref(call);
	return r < 0 ? fail(s, &error, r, "update", unit, err) : 0;
}

int systemd_attach(struct systemd *s, const char *unit, const char *below, pid_t pid,
		   struct donjon_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = s->sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "AttachProcessesToUnit", &error, NULL,
				      "ssau", unit, below, 1, (uint32_t)pid);

	return r < 0 ? fail(s, &error, r, "move a process to", unit, err) : 0;
}

int systemd_stop(struct systemd *s, const char *unit, struct donjon_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *reply = NULL;
	int r = s->sd_bus_call_method(s->bus, SERVICE, OBJECT, MANAGER, "StopUnit", &error, &reply, "ss", unit,
				      "replace");

	if (r < 0 && s->sd_bus_error_has_name(&error, SERVICE ".NoSuchUnit")) {
		s->sd_bus_error_free(&error);
		return 0;
	}
	r = r < 0 ? fail(s, &error, r, "stop", unit, err) : wait_for_job(s, reply, "stop", unit, err);
	(void)s->sd_bus_message_unref(reply);
	reset_failed(s, unit);
	return r;
}

int systemd_control_group(struct systemd *s, const char *unit, char *out, size_t size, struct donjon_error *err)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	dj_auto_free char *path = NULL, *value = NULL;
	int r = unit ? s->sd_bus_path_encode(OBJECT "/unit", unit, &path) : 0;

	if (r >= 0)
		r = s->sd_bus_get_property_string(s->bus, SERVICE, unit ? path : OBJECT,
						  unit ? SERVICE ".Scope" : MANAGER, "ControlGroup", &error, &value);
	if (r < 0)
		return fail(s, &error, r, "read the cgroup of", unit ? unit : "the manager", err);
	if (strlen(value) >= size)
		return dj_fail(err, DONJON_E_SYSTEM, "systemd: the cgroup %.64s... is too long", value);
	(void)snprintf(out, size, "%s", value);
	return 0;
}

#else

bool systemd_is_supported(void) { return false; }

static int unsupported(struct donjon_error *err)
{
	return dj_fail(err, DONJON_E_UNSUPPORTED, "this donjon was built without the systemd cgroup manager");
}

struct systemd *systemd_open(bool user, struct donjon_error *err)
{
	(void)user;
	(void)unsupported(err);
	return NULL;
}

void systemd_close(struct systemd *systemd) { (void)systemd; }

int systemd_start_scope(struct systemd *systemd, const char *unit, pid_t pid,
			const struct systemd_property *properties, size_t n, struct donjon_error *err)
{
	(void)systemd, (void)unit, (void)pid, (void)properties, (void)n;
	return unsupported(err);
}

int systemd_set_properties(struct systemd *systemd, const char *unit,
			   const struct systemd_property *properties, size_t n, struct donjon_error *err)
{
	(void)systemd, (void)unit, (void)properties, (void)n;
	return unsupported(err);
}

int systemd_attach(struct systemd *systemd, const char *unit, const char *below, pid_t pid,
		   struct donjon_error *err)
{
	(void)systemd, (void)unit, (void)below, (void)pid;
	return unsupported(err);
}

int systemd_stop(struct systemd *systemd, const char *unit, struct donjon_error *err)
{
	(void)systemd, (void)unit;
	return unsupported(err);
}

int systemd_control_group(struct systemd *systemd, const char *unit, char *out, size_t size,
			  struct donjon_error *err)
{
	(void)systemd, (void)unit, (void)out, (void)size;
	return unsupported(err);
}

#endif
