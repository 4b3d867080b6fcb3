#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/sys.h"
#include "oci/mount_options.h"

#include <linux/mount.h>
#include <string.h>

/* Values spelled a second time, from the kernel's header: the table's are spelled in base/sys.h. */
enum {
	RO = MOUNT_ATTR_RDONLY,
	NOSUID = MOUNT_ATTR_NOSUID,
	NODEV = MOUNT_ATTR_NODEV,
	NOEXEC = MOUNT_ATTR_NOEXEC,
	ATIMES = MOUNT_ATTR__ATIME,
	NOATIME = MOUNT_ATTR_NOATIME,
	STRICT = MOUNT_ATTR_STRICTATIME,
	NODIR = MOUNT_ATTR_NODIRATIME,
	NOLINK = MOUNT_ATTR_NOSYMFOLLOW,
	REC = MS_REC,
};

/* One row for each string of the contract (OPT1-OPT6). */
static const struct oci_mount_option rows[] = {
	{ "async", .super = "async" },
	{ "atime", .clear = ATIMES },
	{ "defaults" },
	{ "dev", .clear = NODEV },
	{ "diratime", .clear = NODIR },
	{ "dirsync", .super = "dirsync" },
	{ "exec", .clear = NOEXEC },
	{ "iversion" },
	{ "lazytime", .super = "lazytime" },
	{ "loud" },
	{ "noatime", .set = NOATIME, .clear = ATIMES },
	{ "nodev", .set = NODEV },
	{ "nodiratime", .set = NODIR },
	{ "noexec", .set = NOEXEC },
	{ "noiversion" },
	{ "nolazytime", .super = "nolazytime" },
	{ "norelatime" },
	{ "nostrictatime", .clear = ATIMES },
	{ "nosuid", .set = NOSUID },
	{ "relatime", .clear = ATIMES },
	{ "remount", .flags = OCI_MOUNT_REMOUNT },
	{ "ro", .set = RO },
	{ "rw", .clear = RO },
	{ "silent" },
	{ "strictatime", .set = STRICT, .clear = ATIMES },
	{ "suid", .clear = NOSUID },
	{ "sync", .super = "sync" },
	{ "bind", .flags = OCI_MOUNT_BIND },
	{ "rbind", .flags = OCI_MOUNT_BIND | OCI_MOUNT_RBIND },
	{ "private", .propagation = MS_PRIVATE },
	{ "rprivate", .propagation = MS_PRIVATE | REC },
	{ "shared", .propagation = MS_SHARED },
	{ "rshared", .propagation = MS_SHARED | REC },
	{ "slave", .propagation = MS_SLAVE },
	{ "rslave", .propagation = MS_SLAVE | REC },
	{ "unbindable", .propagation = MS_UNBINDABLE },
	{ "runbindable", .propagation = MS_UNBINDABLE | REC },
	{ "rasync", .super = "async" },
	{ "rsync", .super = "sync" },
	{ "rdirsync", .super = "dirsync" },
	{ "rmand", .super = "mand" },
	{ "rnomand", .super = "nomand" },
	{ "rro", .set = RO, .rec_set = RO },
	{ "rrw", .clear = RO, .rec_clear = RO },
	{ "rnosuid", .set = NOSUID, .rec_set = NOSUID },
	{ "rsuid", .clear = NOSUID, .rec_clear = NOSUID },
	{ "rnodev", .set = NODEV, .rec_set = NODEV },
	{ "rdev", .clear = NODEV, .rec_clear = NODEV },
	{ "rnoexec", .set = NOEXEC, .rec_set = NOEXEC },
	{ "rexec", .clear = NOEXEC, .rec_clear = NOEXEC },
	{ "rnodiratime", .set = NODIR, .rec_set = NODIR },
	{ "rdiratime", .clear = NODIR, .rec_clear = NODIR },
	{ "rrelatime", .clear = ATIMES, .rec_clear = ATIMES },
	{ "rnorelatime" },
	{ "rnoatime", .set = NOATIME, .clear = ATIMES, .rec_set = NOATIME, .rec_clear = ATIMES },
	{ "ratime", .clear = ATIMES, .rec_clear = ATIMES },
	{ "rstrictatime", .set = STRICT, .clear = ATIMES, .rec_set = STRICT, .rec_clear = ATIMES },
	{ "rnostrictatime", .clear = ATIMES, .rec_clear = ATIMES },
	{ "rnosymfollow", .set = NOLINK, .rec_set = NOLINK },
	{ "rsymfollow", .clear = NOLINK, .rec_clear = NOLINK },
	{ "nosymfollow", .set = NOLINK },
	{ "symfollow", .clear = NOLINK },
	{ "idmap", .flags = OCI_MOUNT_IDMAP },
	{ "ridmap", .flags = OCI_MOUNT_IDMAP | OCI_MOUNT_RIDMAP },
	{ "mand", .super = "mand" },
	{ "nomand", .super = "nomand" },
	{ "tmpcopyup", .flags = OCI_MOUNT_TMPCOPYUP },
	{ "acl" },
	{ "noacl" },
	{ "copy-symlink", .flags = OCI_MOUNT_COPY_SYMLINK },
	{ "src-nofollow", .flags = OCI_MOUNT_SRC_NOFOLLOW },
	{ "dest-nofollow", .flags = OCI_MOUNT_DEST_NOFOLLOW },
	{ "copy" },
	{ "nocopy" },
};

static void knows_every_option(void **state)
{
	(void)state;
	for (size_t i = 0; i < DJ_COUNT(rows); i++) {
		const struct oci_mount_option *want = &rows[i];
		const struct oci_mount_option *found = oci_mount_option_find(want->name);

		if (!found)
			fail_msg("unknown: %s", want->name);
		assert_string_equal(found->name, want->name);
		if (found->set != want->set || found->clear != want->clear ||
		    found->rec_set != want->rec_set || found->rec_clear != want->rec_clear ||
		    found->propagation != want->propagation || found->flags != want->flags)
			fail_msg("wrong bits: %s", want->name);
		assert_int_equal(!found->super, !want->super);
		if (want->super)
			assert_string_equal(found->super, want->super);
	}
}

static void knows_no_other(void **state)
{
	static const char *const data[] = {
		"",      "mode=755",          "size=65536k", "RO", "ro ", "newinstance",
		"gid=5", "idmap=uids=0-1-10", "context=x"
	};
	size_t n;

	(void)state;
	(void)oci_mount_option_table(&n);
	assert_int_equal(n, DJ_COUNT(rows));
	for (size_t i = 0; i < DJ_COUNT(data); i++)
		assert_null(oci_mount_option_find(data[i]));
}

/* mount_setattr(2) refuses a part of the access time field, and a bit both set and not cleared
 * within it. */
static void access_times_are_one_field(void **state)
{
	size_t n;
	const struct oci_mount_option *table = oci_mount_option_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const uint64_t clear = table[i].clear & ATIMES, rec = table[i].rec_clear & ATIMES;

		assert_true(clear == 0 || clear == ATIMES);
		assert_true(rec == 0 || rec == ATIMES);
		assert_true(!(table[i].set & ATIMES) || clear == ATIMES);
		assert_true(!(table[i].rec_set & ATIMES) || rec == ATIMES);
	}
}

/* The running kernel's word for superblock flags, where there is the right to ask it. */
static void kernel_knows_superblock_flags(void **state)
{
	size_t n;
	const struct oci_mount_option *table = oci_mount_option_table(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		dj_auto_close int fd = -1;

		if (!table[i].super)
			continue;
		fd = sys_fsopen("tmpfs");
		if (fd < 0)
			return;
		assert_int_equal(sys_fsconfig(fd, SYS_FSCONFIG_FLAG, table[i].super, NULL, 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_every_option),
		cmocka_unit_test(knows_no_other),
		cmocka_unit_test(access_times_are_one_field),
		cmocka_unit_test(kernel_knows_superblock_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
