/* decode -> validate -> harden -> plan for one config.json at one level on one made-up host, printed:
 * what the golden tests compare.  Usage: golden CONFIG LEVEL */
#include "filter/filter.h"
#include "oci/decode.h"
#include "oci/validate.h"
#include "plan/build.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>

/* A host with everything on it, the same for every machine the tests run on. */
static const struct host_facts host = {
	.cgroup_mode = HOST_CGROUP_V2,
	.v2_mount_point = "/sys/fs/cgroup",
	.v2_self = "/",
	.v2_controllers = "cpuset cpu io memory hugetlb pids rdma misc",
	.initial_userns = true,
	.may_set_rlimits = true,
	.has_openat2 = true,
	.cap_last = 40,
	.caps = UINT64_MAX,
	.memory_bytes = UINT64_C(8) << 30,
	.arch = AUDIT_ARCH_X86_64,
	.id_range = 0x70000000,
};

static int pipeline(const char *text, size_t size, int level, struct dj_arena *arena, struct donjon_error *err)
{
	const struct policy_request request = {
		.level = level, .bundle = "/bundle", .rootfs = "/bundle/rootfs", .cpus = 2,
	};
	struct oci_spec *spec = dj_arena_new(arena, struct oci_spec);
	struct policy_result result = { 0 };
	struct plan_input in = {
		.id = "golden", .bundle = "/bundle", .rootfs = "/bundle/rootfs", .spec = spec,
		.settings = &result.settings, .host = &host,
	};
	struct dj_plan *plan;
	int r;

	if (oci_decode(text, size, arena, spec, err) < 0 || oci_validate(spec, err) < 0)
		return -1;
	r = policy_apply(spec, &host, &request, arena, &result, err);
	printf("%s\n", policy_result_json(&result, arena));
	if (r < 0 || plan_build(&in, arena, &plan, &result, err) < 0)
		return -1;
	fputs(plan_dump(plan, arena), stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct donjon_error err = { 0 };
	dj_auto_arena struct dj_arena arena = { 0 };
	dj_auto_free char *text = NULL;
	dj_auto_close int fd = -1;
	size_t size;
	int level;

	if (argc != 3 || (level = policy_level_from_name(argv[2])) < 0)
		return 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || file_read_regular(fd, OCI_CONFIG_MAX, argv[1], &text, &size, &err) < 0)
		return 2;
	if (pipeline(text, size, level, &arena, &err) < 0)
		printf("error %s: %s\n", donjon_code_name(err.code), err.text);
	return 0;
}
