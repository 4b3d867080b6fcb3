/*
 * Device rules.  v2 has no file for them but asks a BPF program on every mknod and open; v1 keeps
 * a default and exceptions to it.  Both start from "deny all" unless a rule allows everything.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/sys.h"
#include "cgroup/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { READ = BPF_DEVCG_ACC_READ, WRITE = BPF_DEVCG_ACC_WRITE, MKNOD = BPF_DEVCG_ACC_MKNOD };
enum { ANY_ACCESS = READ | WRITE | MKNOD };

static int access_of(const struct oci_device_rule *r)
{
	return (r->read ? READ : 0) | (r->write ? WRITE : 0) | (r->mknod ? MKNOD : 0);
}

/* ---- v2: the program ---- */

/* CTX points to struct bpf_cgroup_dev_ctx; WANTED holds the kinds of access that no rule has
 * allowed yet.  What a rule compares is loaded anew for each: had it stayed in registers, the
 * verifier would follow every matched device through all other rules, which is quadratic. */
enum { RESULT = BPF_REG_0, CTX = BPF_REG_1, FIELD = BPF_REG_2, WANTED = BPF_REG_3 };

/* clang-format off */
#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define LOAD(reg, field)                                                                           \
	INSN(BPF_LDX | BPF_MEM | BPF_W, reg, CTX, offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define SET(reg, value)          INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define AND(reg, mask)           INSN(BPF_ALU64 | BPF_AND | BPF_K, reg, 0, 0, mask)
#define SHIFT_RIGHT(reg, n)      INSN(BPF_ALU64 | BPF_RSH | BPF_K, reg, 0, 0, n)
#define UNLESS(reg, value, skip) INSN(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, skip, value)
#define IF_ANY(reg, mask, skip)  INSN(BPF_JMP32 | BPF_JSET | BPF_K, reg, 0, skip, mask)
#define SKIP(n)                  INSN(BPF_JMP | BPF_JA, 0, 0, n, 0)
#define EXIT                     INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* clang-format on */

enum { PROLOGUE = 2, COMPARE_TYPE = 3, COMPARE_NUMBER = 2, VERDICT_MAX = 4, EPILOGUE = 2 };
enum { RULE_MAX = COMPARE_TYPE + 2 * COMPARE_NUMBER + VERDICT_MAX };

static size_t emit(struct bpf_insn *out, size_t at, struct bpf_insn insn)
{
	out[at] = insn;
	return at + 1;
}

/* access_type: the access in the upper half, the type of the device in the lower one. */
static size_t emit_prologue(struct bpf_insn *out)
{
	size_t n = emit(out, 0, LOAD(WANTED, access_type));

	return emit(out, n, SHIFT_RIGHT(WANTED, 16));
}

static size_t emit_return(struct bpf_insn *out, size_t n, bool allow)
{
	n = emit(out, n, SET(RESULT, allow));
	return emit(out, n, EXIT);
}

/* What follows when a rule's device matches. */
static size_t emit_verdict(struct bpf_insn *out, size_t n, const struct oci_device_rule *r)
{
	int access = access_of(r);

	if (access == ANY_ACCESS)
		return emit_return(out, n, r->allow);
	if (r->allow) { /* take these off; if nothing is left, all is allowed */
		n = emit(out, n, AND(WANTED, ~access));
		n = emit(out, n, UNLESS(WANTED, 0, 2));
	} else {
		n = emit(out, n, IF_ANY(WANTED, access, 1));
		n = emit(out, n, SKIP(2));
	}
	return emit_return(out, n, r->allow);
}

static size_t emit_rule(struct bpf_insn *out, size_t n, const struct oci_device_rule *r)
{
	struct bpf_insn verdict[VERDICT_MAX];
	int size = (int)emit_verdict(verdict, 0, r);
	int minor_size = r->minor >= 0 ? COMPARE_NUMBER : 0;
	int major_size = r->major >= 0 ? COMPARE_NUMBER : 0;

	if (r->type != 'a') {
		n = emit(out, n, LOAD(FIELD, access_type));
		n = emit(out, n, AND(FIELD, 0xffff));
		n = emit(out, n,
			 UNLESS(FIELD, r->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK,
				(int16_t)(major_size + minor_size + size)));
	}
	if (r->major >= 0) {
		n = emit(out, n, LOAD(FIELD, major));
		n = emit(out, n, UNLESS(FIELD, (int32_t)r->major, (int16_t)(minor_size + size)));
	}
	if (r->minor >= 0) {
		n = emit(out, n, LOAD(FIELD, minor));
		n = emit(out, n, UNLESS(FIELD, (int32_t)r->minor, (int16_t)size));
	}
	memcpy(&out[n], verdict, (size_t)size * sizeof(*out));
	return n + (size_t)size;
}

/* For every device and every access: what stands before it has no say. */
static bool is_total(const struct oci_device_rule *r)
{
	return r->type == 'a' && r->major < 0 && r->minor < 0 && access_of(r) == ANY_ACCESS;
}

int device_program(const struct oci_device_rule *rules, size_t n, struct bpf_insn **out,
		   size_t *out_n, struct donjon_error *err)
{
	struct bpf_insn *program = calloc(PROLOGUE + n * RULE_MAX + EPILOGUE, sizeof(*program));
	bool complete = false;
	size_t at;

	if (!program)
		return dj_fail_os(err, ENOMEM, "build the device program");
	at = emit_prologue(program);
	/* From the last rule on; nothing after a total one, for the verifier refuses unreachable
	 * instructions. */
	while (n > 0 && !complete) {
		n--;
		at = emit_rule(program, at, &rules[n]);
		complete = is_total(&rules[n]);
	}
	if (!complete)
		at = emit_return(program, at, false);
	*out = program;
	*out_n = at;
	return 0;
}

/* Always the whole structure, zeroed, and larger than any kernel's: one since 6.17 writes behind a
 * short one (B38). */
union bpf_request {
	union bpf_attr attr;
	char room[512];
};

static int bpf(int cmd, union bpf_request *request)
{
	return sys_bpf(cmd, request, sizeof(*request));
}

static int load_program(const struct bpf_insn *program, size_t n)
{
	union bpf_request request = { 0 };

	request.attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	request.attr.insns = (uintptr_t)program;
	request.attr.insn_cnt = (uint32_t)n;
	request.attr.license = (uintptr_t)"Apache-2.0";
	(void)snprintf(request.attr.prog_name, sizeof(request.attr.prog_name), "donjon_devices");
	return bpf(BPF_PROG_LOAD, &request);
}

static int attach_program(int cgroup_fd, int program_fd)
{
	union bpf_request request = { 0 };

	request.attr.target_fd = (uint32_t)cgroup_fd;
	request.attr.attach_bpf_fd = (uint32_t)program_fd;
	request.attr.attach_type = BPF_CGROUP_DEVICE;
	request.attr.attach_flags = BPF_F_ALLOW_MULTI;
	return bpf(BPF_PROG_ATTACH, &request);
}

static int apply_v2(int dir_fd, const struct oci_device_rule *rules, size_t n,
		    struct donjon_error *err)
{
	dj_auto_free struct bpf_insn *program = NULL;
	dj_auto_close int fd = -1;
	size_t size;
	int r;

	if (n > 0 && is_total(&rules[n - 1]) && rules[n - 1].allow)
		return 0; /* a new cgroup allows everything its parents do */
	if (device_program(rules, n, &program, &size, err) < 0)
		return -1;
	fd = load_program(program, size);
	if (fd < 0)
		return dj_fail_os(err, -fd, "linux.resources.devices: load the device program");
	r = attach_program(dir_fd, fd);
	return r < 0 ? dj_fail_os(err, -r, "linux.resources.devices: attach the device program")
		     : 0;
}

/* ---- v1: default and exceptions ---- */

struct exception {
	char type;
	int64_t major, minor;
	int access;
};

struct exceptions {
	bool allow_all; /* the default they are exceptions to */
	struct exception *v;
	size_t n;
};

static bool covers(int64_t wide, int64_t narrow)
{
	return wide < 0 || wide == narrow;
}

static bool overlaps(int64_t a, int64_t b)
{
	return a < 0 || b < 0 || a == b;
}

/* A rule in the default's own direction takes exceptions back.  The kernel can only do that for
 * whole entries: cutting a hole into a wider one is beyond it.  The wildcard that allows nothing
 * but mknod, one of the defaults, gives way: a node that cannot be opened is worth nothing. */
static int take_back(struct exceptions *set, const struct exception *e)
{
	for (size_t i = 0; i < set->n; i++) {
		struct exception *x = &set->v[i];
		bool is_wildcard_mknod =
			!set->allow_all && x->access == MKNOD && x->major < 0 && x->minor < 0;

		if (x->type != e->type || !(x->access & e->access) ||
		    !overlaps(x->major, e->major) || !overlaps(x->minor, e->minor))
			continue;
		if ((!covers(e->major, x->major) || !covers(e->minor, x->minor)) &&
		    !is_wildcard_mknod)
			return -1;
		x->access &= ~e->access;
	}
	return 0;
}

static void except(struct exceptions *set, const struct exception *e)
{
	for (size_t i = 0; i < set->n; i++) {
		struct exception *x = &set->v[i];

		if (x->type == e->type && x->major == e->major && x->minor == e->minor) {
			x->access |= e->access;
			return;
		}
	}
	set->v[set->n++] = *e;
}

/* v1 takes 'a' for everything whatever follows it, so it is written as its two halves. */
static int add_rule(struct exceptions *set, const struct oci_device_rule *r)
{
	const char *types = r->type == 'a' ? "bc" : r->type == 'b' ? "b" : "c";

	if (is_total(r)) {
		set->allow_all = r->allow;
		set->n = 0;
		return 0;
	}
	for (; *types; types++) {
		struct exception e = { *types, r->major, r->minor, access_of(r) };

		if (r->allow != set->allow_all)
			except(set, &e);
		else if (take_back(set, &e) < 0)
			return -1;
	}
	return 0;
}

/* The kernel wants one entry that allows all of an open's access: what a wider one allows is said
 * again by the narrower.  (Denying it does piecewise.) */
static void inherit_wider(struct exceptions *set)
{
	for (size_t i = 0; i < set->n && !set->allow_all; i++) {
		struct exception *x = &set->v[i];

		for (size_t k = 0; k < set->n && x->access; k++) {
			const struct exception *y = &set->v[k];

			if (y->type == x->type && covers(y->major, x->major) &&
			    covers(y->minor, x->minor))
				x->access |= y->access & (READ | WRITE);
		}
	}
}

static void print_number(char *out, size_t size, int64_t number)
{
	if (number < 0)
		(void)snprintf(out, size, "*");
	else
		(void)snprintf(out, size, "%lld", (long long)number);
}

static struct device_line line_of(const struct exception *e, bool allow)
{
	struct device_line line = { .allow = allow };
	char major[16], minor[16];

	print_number(major, sizeof(major), e->major);
	print_number(minor, sizeof(minor), e->minor);
	(void)snprintf(line.text, sizeof(line.text), "%c %s:%s %s%s%s", e->type, major, minor,
		       e->access & READ ? "r" : "", e->access & WRITE ? "w" : "",
		       e->access & MKNOD ? "m" : "");
	return line;
}

int device_lines(const struct oci_device_rule *rules, size_t n, struct device_line **out,
		 size_t *out_n, struct donjon_error *err)
{
	dj_auto_free struct exception *v = calloc(2 * n + 1, sizeof(*v));
	struct device_line *lines = calloc(2 * n + 1, sizeof(*lines));
	struct exceptions set = { .v = v };
	size_t used = 0;

	if (!v || !lines) {
		free(lines);
		return dj_fail_os(err, ENOMEM, "build the device lists");
	}
	for (size_t i = 0; i < n; i++) {
		if (add_rule(&set, &rules[i]) == 0)
			continue;
		free(lines);
		return dj_fail(
			err, DONJON_E_UNSUPPORTED,
			"linux.resources.devices: cgroup v1 cannot deny a part of what a wider "
			"rule allows, or the other way round");
	}
	inherit_wider(&set);
	lines[used++] = (struct device_line){ .allow = set.allow_all, .text = "a" };
	for (size_t i = 0; i < set.n; i++) {
		if (set.v[i].access)
			lines[used++] = line_of(&set.v[i], !set.allow_all);
	}
	*out = lines;
	*out_n = used;
	return 0;
}

static int apply_v1(int dir_fd, const struct oci_device_rule *rules, size_t n,
		    struct donjon_error *err)
{
	dj_auto_free struct device_line *lines = NULL;
	dj_auto_close int deny = path_open_beneath(dir_fd, "devices.deny", O_WRONLY, 0);
	dj_auto_close int allow = path_open_beneath(dir_fd, "devices.allow", O_WRONLY, 0);
	size_t used;

	if (deny < 0 || allow < 0)
		return dj_fail_os(err, deny < 0 ? -deny : -allow,
				  "linux.resources.devices: open devices.deny and devices.allow");
	if (device_lines(rules, n, &lines, &used, err) < 0)
		return -1;
	for (size_t i = 0; i < used; i++) {
		int r = file_write_all(lines[i].allow ? allow : deny, lines[i].text,
				       strlen(lines[i].text));

		if (r < 0)
			return dj_fail_os(err, -r, "linux.resources.devices: %s \"%s\"",
					  lines[i].allow ? "allow" : "deny", lines[i].text);
	}
	return 0;
}

int cgroup_apply_devices(const struct dj_plan *plan, const struct cgroup *cg,
			 struct donjon_error *err)
{
	const struct oci_device_rule *rules =
		plan_items(plan, plan->device_rules, struct oci_device_rule);
	int v1 = cgroup_v1_dir(cg, cg->devices);

	if (v1 >= 0)
		return apply_v1(v1, rules, plan->device_rules.n, err);
	if (cg->v2 >= 0)
		return apply_v2(cg->v2, rules, plan->device_rules.n, err);
	return dj_fail(err, DONJON_E_UNSUPPORTED,
		       "linux.resources.devices: this host has no devices controller");
}
