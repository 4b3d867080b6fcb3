/* Kernel parameters: those of Kubernetes' safe list (Pod Security Standards 1.37) belong to the
 * container's namespaces and can hurt nobody else. */
#include "base/cleanup.h"
#include "policy/harden.h"

#include <string.h>

static const char *const safe[] = {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_notsent_lowat",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_slow_start_after_idle",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_wmem",
};

static bool is_safe(const char *key)
{
	for (size_t i = 0; i < DJ_COUNT(safe); i++)
		if (strcmp(safe[i], key) == 0)
			return true;
	return false;
}

void harden_sysctls(struct harden *h)
{
	for (size_t i = 0; i < h->spec->linux.sysctl.n; i++) {
		const char *key = h->spec->linux.sysctl.v[i].key;

		if (!is_safe(key) && !overridden(h, key))
			harden_refused(h, harden_pointer(h, "/linux/sysctl/", key),
			               "is not on the list of safe sysctls",
			               "set it on the host, or leave it out", key);
	}
}

/* Leaves a value the config states alone. */
void sysctl_set(struct harden *h, const char *key, const char *value)
{
	struct oci_linux *linux_ = &h->spec->linux;
	struct oci_pair *grown;

	for (size_t i = 0; i < linux_->sysctl.n; i++)
		if (strcmp(linux_->sysctl.v[i].key, key) == 0)
			return;
	grown = list_append(h->arena, linux_->sysctl.v, linux_->sysctl.n, 1, sizeof(*grown));
	grown[linux_->sysctl.n++] = (struct oci_pair){
		.key = dj_arena_strdup(h->arena, key),
		.value = dj_arena_strdup(h->arena, value),
	};
	linux_->sysctl.v = grown;
	harden_changed(h, harden_pointer(h, "/linux/sysctl/", key), "", value);
}
