/* Small things asked of the kernel from inside the namespaces: names, network, sysctls, keyring,
 * scheduling. */
#include "launch/inside.h"

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/sys.h"
#include "launch/scheduling.h"
#include "launch/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int set_hostname(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const char *host = plan_text(s->plan, s->plan->hostname);
	const char *domain = plan_text(s->plan, s->plan->domainname);

	(void)row;
	if (*host && sethostname(host, strlen(host)) < 0)
		return dj_fail_os(err, errno, "hostname: set %s", host);
	if (*domain && setdomainname(domain, strlen(domain)) < 0)
		return dj_fail_os(err, errno, "domainname: set %s", domain);
	return 0;
}

int loopback_up(struct inside *s, uint32_t row, struct donjon_error *err)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	dj_auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)s;
	(void)row;
	if (fd < 0)
		return dj_fail_os(err, errno, "open a socket to configure lo");
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return dj_fail_os(err, errno, "bring lo up");
	return 0;
}

int open_own_procfs(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	if (s->self >= 0)
		return 0;
	s->proc = procfs_open(err);
	if (s->proc < 0)
		return -1;
	s->self = procfs_openat(s->proc, O_PATH | O_DIRECTORY, "self/.");
	return s->self < 0 ? dj_fail_os(err, -s->self, "open /proc/self") : 0;
}

int write_sysctls(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	return sysctls_write(s->plan, s->proc, false, err);
}

/* Nobody in this user namespace, and no exec that joins it later, can make another one (E04). */
int forbid_user_namespaces(struct inside *s, uint32_t row, struct donjon_error *err)
{
	(void)row;
	return procfs_write(s->proc, "sys/user/max_user_namespaces", "0", err);
}

/* Anonymous: a ring with a name can be joined by others (B25). */
int new_keyring(struct inside *s, uint32_t row, struct donjon_error *err)
{
	long r = sys_keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);

	(void)row;
	if (r >= 0)
		return 0;
	/* Decision 42: the plan allows it only where the loaded filter denies all key calls. */
	if ((r == -EDQUOT || r == -ENOSYS) && s->plan->keyring_optional)
		return 0;
	return dj_fail_os(err, (int)-r, "join a new session keyring");
}

/* maxnode counts one bit more than it reads. */
static int set_memory_policy(const struct dj_plan *plan, struct donjon_error *err)
{
	if (syscall(SYS_set_mempolicy, plan->memory_mode, plan->memory_nodes,
		    (unsigned long)OCI_MEMORY_NODES + 1) < 0)
		return dj_fail_os(err, errno, "linux.memoryPolicy: set_mempolicy");
	return 0;
}

int set_scheduling(struct inside *s, uint32_t row, struct donjon_error *err)
{
	const struct dj_plan *plan = s->plan;

	(void)row;
	/* Set whether configured or not: the caller's are not the container's (T59). */
	if (personality(plan->personality_set ? (unsigned long)plan->personality : 0) < 0)
		return dj_fail_os(err, errno, "linux.personality");
	if (syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0) < 0)
		return dj_fail_os(err, errno, "reset the I/O priority");
	if (plan->memory_policy_set && set_memory_policy(plan, err) < 0)
		return -1;
	return scheduling_is_outside(plan) ? 0 : scheduling_set(plan, 0, err);
}
