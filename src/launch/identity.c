/* Who the process is, and what it may not become any more.  The order is the security (B20). */
#include "launch/inside.h"

#include "base/procfs.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static int drop_bounding(uint64_t keep, struct donjon_error *err)
{
	for (unsigned long cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) {
			if (errno == EINVAL)
				break; /* beyond the kernel's last one */
			return dj_fail_os(err, errno, "drop capability %lu from the bounding set", cap);
		}
	}
	return 0;
}

static int set_ids(const struct dj_plan *plan, struct donjon_error *err)
{
	int r;

	/* Groups first: after the change of uid there is no right to do it (B23). */
	if (plan->set_groups &&
	    (r = sys_setgroups(plan->groups.n, plan_items(plan, plan->groups, gid_t))) < 0)
		return dj_fail_os(err, -r, "process.user.additionalGids: setgroups");
	if ((r = sys_setresgid(plan->gid, plan->gid, plan->gid)) < 0)
		return dj_fail_os(err, -r, "process.user.gid: become %u", plan->gid);
	if ((r = sys_setresuid(plan->uid, plan->uid, plan->uid)) < 0)
		return dj_fail_os(err, -r, "process.user.uid: become %u", plan->uid);
	return 0;
}

static int set_sets(const struct dj_plan *plan, struct donjon_error *err)
{
	uint64_t effective = plan->caps[PLAN_CAP_EFFECTIVE], permitted = plan->caps[PLAN_CAP_PERMITTED];
	uint64_t inheritable = plan->caps[PLAN_CAP_INHERITABLE];
	struct __user_cap_data_struct data[2];
	int r;

	if (plan->filter_needs_admin) {
		effective |= UINT64_C(1) << CAP_SYS_ADMIN_BIT;
		permitted |= UINT64_C(1) << CAP_SYS_ADMIN_BIT;
	}
	for (int half = 0; half < 2; half++)
		data[half] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(effective >> (32 * half)),
			.permitted = (uint32_t)(permitted >> (32 * half)),
			.inheritable = (uint32_t)(inheritable >> (32 * half)),
		};
	/* Whatever the way in left there (see carry_capabilities in child.c). */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return dj_fail_os(err, errno, "clear the ambient capabilities");
	if ((r = sys_capset(data)) < 0)
		return dj_fail_os(err, -r, "process.capabilities: capset");
	for (unsigned long cap = 0; cap < 64; cap++)
		if (plan->caps[PLAN_CAP_AMBIENT] >> cap & 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return dj_fail_os(err, errno, "process.capabilities.ambient: raise %lu", cap);
	return 0;
}

int set_identity(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	if (drop_bounding(s->plan->caps[PLAN_CAP_BOUNDING], err) < 0)
		return -1;
	/* Or the change of uid would clear the permitted set we still have to write. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return dj_fail_os(err, errno, "keep capabilities over the change of ids");
	if (set_ids(s->plan, err) < 0 || set_sets(s->plan, err) < 0)
		return -1;
	if (s->plan->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return dj_fail_os(err, errno, "set no_new_privs");
	/* The change of ids reset both: the waiting stage is nobody's to look into (B17), and still goes
	 * with the runtime (B37). */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return dj_fail_os(err, errno, "protect the waiting process");
	return 0;
}

enum { LABEL_MAX = 4096 };

/* As podman looks for it, to tell these from other errors (E8). */
static int fail_attribute(const char *what, const char *path, struct donjon_error *err)
{
	int os = err->os;

	dj_error_clear(err);
	return dj_fail_os(err, os ? os : EIO, "%s `/proc/self/%s`", what, path);
}

static int write_label(int self, const char *const files[], const char *text, struct donjon_error *err)
{
	const char *path = NULL;
	char back[LABEL_MAX];
	int fd = -ENOENT;
	size_t len;

	for (size_t i = 0; files[i] && fd == -ENOENT; i++) {
		path = files[i];
		fd = procfs_openat(self, O_WRONLY, "%s", path);
		if (fd >= 0)
			(void)close(fd);
	}
	if (fd < 0)
		return dj_fail_os(err, -fd, "open `/proc/self/%s`", path);
	if (procfs_write(self, path, text, err) < 0)
		return fail_attribute("write", path, err);
	/* Read back: a label that did not stick is a container without one (CVE-2019-16884). */
	if (procfs_read(self, path, back, sizeof(back), err) < 0)
		return fail_attribute("read back", path, err);
	if (strncmp(text, "exec ", 5) == 0)
		text += 5;
	/* AppArmor adds its mode in brackets. */
	len = strlen(text);
	if (strncmp(back, text, len) != 0 || (back[len] && back[len] != ' ' && back[len] != '\n'))
		return dj_fail(err, DONJON_E_VERIFY, "`/proc/self/%s` reads %s after %s was written", path, back, text);
	return 0;
}

int set_exec_label(struct inside *s, uint32_t row, struct donjon_error *err)
{
	static const char *const apparmor[] = { "attr/apparmor/exec", "attr/exec", NULL };
	static const char *const selinux[] = { "attr/exec", NULL };
	char text[LABEL_MAX];

	(void)row;
	if (s->plan->apparmor) {
		int n = snprintf(text, sizeof(text), "exec %s", plan_text(s->plan, s->plan->apparmor));

		if (n < 0 || (size_t)n >= sizeof(text))
			return dj_fail(err, DONJON_E_CONFIG, "process.apparmorProfile: too long");
		if (write_label(s->self, apparmor, text, err) < 0) {
			if (err->os != ENOENT)
				return dj_note(err, "process.apparmorProfile");
			dj_error_clear(err);
			return dj_fail(err, DONJON_E_CONFIG, "process.apparmorProfile: %s is not loaded",
				       plan_text(s->plan, s->plan->apparmor));
		}
	}
	if (s->plan->selinux && write_label(s->self, selinux, plan_text(s->plan, s->plan->selinux), err) < 0)
		return dj_note(err, "process.selinuxLabel");
	return 0;
}
