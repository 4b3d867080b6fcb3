#include "launch/sysctl.h"

#include "base/cleanup.h"
#include "base/procfs.h"

#include <stdio.h>

int sysctls_write(const struct dj_plan *plan, int proc, bool outside, struct donjon_error *err)
{
	const struct plan_sysctl *sysctls = plan_items(plan, plan->sysctls, struct plan_sysctl);

	for (uint32_t i = 0; i < plan->sysctls.n; i++) {
		char path[512];

		if (sysctls[i].outside != outside)
			continue;
		(void)snprintf(path, sizeof(path), "sys/%s", plan_text(plan, sysctls[i].file));
		if (procfs_write(proc, path, plan_text(plan, sysctls[i].value), err) < 0)
			return dj_note(err, "linux.sysctl");
	}
	return 0;
}

int sysctls_write_outside(const struct dj_plan *plan, struct donjon_error *err)
{
	const struct plan_sysctl *sysctls = plan_items(plan, plan->sysctls, struct plan_sysctl);
	dj_auto_close int proc = -1;
	bool any = false;

	for (uint32_t i = 0; i < plan->sysctls.n; i++)
		any |= sysctls[i].outside;
	if (!any)
		return 0;
	proc = procfs_open(err);
	return proc < 0 ? -1 : sysctls_write(plan, proc, true, err);
}
