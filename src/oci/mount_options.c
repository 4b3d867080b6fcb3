#include "oci/mount_options.h"

#include "base/cleanup.h"
#include "base/sys.h"

#include <string.h>
#include <sys/mount.h>

#define ATTR(name_, set_, clear_)                                                                  \
	{                                                                                          \
		.name = name_, .set = set_, .clear = clear_                                        \
	}
#define REC(name_, set_, clear_)                                                                   \
	{                                                                                          \
		.name = name_, .set = set_, .clear = clear_, .rec_set = set_, .rec_clear = clear_  \
	}
#define SUPER(name_, super_)                                                                       \
	{                                                                                          \
		.name = name_, .super = super_                                                     \
	}
#define MOVE(name_, propagation_)                                                                  \
	{                                                                                          \
		.name = name_, .propagation = propagation_                                         \
	}
#define FLAG(name_, flags_)                                                                        \
	{                                                                                          \
		.name = name_, .flags = flags_                                                     \
	}
#define NOTHING(name_)                                                                             \
	{                                                                                          \
		.name = name_                                                                      \
	}

#define RDONLY      SYS_MOUNT_ATTR_RDONLY
#define NOSUID      SYS_MOUNT_ATTR_NOSUID
#define NODEV       SYS_MOUNT_ATTR_NODEV
#define NOEXEC      SYS_MOUNT_ATTR_NOEXEC
#define NODIRATIME  SYS_MOUNT_ATTR_NODIRATIME
#define NOSYMFOLLOW SYS_MOUNT_ATTR_NOSYMFOLLOW
/* Not bits but one field of three values: whoever sets one clears all of it, or the kernel says
 * EINVAL.  "atime" and "nostrictatime" ask for the kernel's default, which is relatime. */
#define ATIME       SYS_MOUNT_ATTR__ATIME
#define RELATIME    SYS_MOUNT_ATTR_RELATIME
#define NOATIME     SYS_MOUNT_ATTR_NOATIME
#define STRICTATIME SYS_MOUNT_ATTR_STRICTATIME

static const struct oci_mount_option options[] = {
	/* OPT1.  "ro" belongs to the mount, not to its superblock, so that it can be set last, when
	 * mount points and devices exist (B5). */
	SUPER("async", "async"),
	ATTR("atime", RELATIME, ATIME),
	NOTHING("defaults"),
	ATTR("dev", 0, NODEV),
	ATTR("diratime", 0, NODIRATIME),
	SUPER("dirsync", "dirsync"),
	ATTR("exec", 0, NOEXEC),
	/* The change counter is a filesystem's own business since there is fsconfig(2), which knows
	 * no such flag; nor has it one for how much the kernel logs while mounting. */
	NOTHING("iversion"),
	SUPER("lazytime", "lazytime"),
	NOTHING("loud"),
	ATTR("noatime", NOATIME, ATIME),
	ATTR("nodev", NODEV, 0),
	ATTR("nodiratime", NODIRATIME, 0),
	ATTR("noexec", NOEXEC, 0),
	NOTHING("noiversion"),
	SUPER("nolazytime", "nolazytime"),
	/* There is no state "neither relatime nor another one": nothing to clear. */
	NOTHING("norelatime"),
	ATTR("nostrictatime", RELATIME, ATIME),
	ATTR("nosuid", NOSUID, 0),
	ATTR("relatime", RELATIME, ATIME),
	FLAG("remount", OCI_MOUNT_REMOUNT),
	ATTR("ro", RDONLY, 0),
	ATTR("rw", 0, RDONLY),
	NOTHING("silent"),
	ATTR("strictatime", STRICTATIME, ATIME),
	ATTR("suid", 0, NOSUID),
	SUPER("sync", "sync"),

	/* OPT2.  A superblock has no submounts, so the r forms (crun's) are the plain ones. */
	FLAG("bind", OCI_MOUNT_BIND),
	FLAG("rbind", OCI_MOUNT_BIND | OCI_MOUNT_RBIND),
	MOVE("private", MS_PRIVATE),
	MOVE("rprivate", MS_PRIVATE | MS_REC),
	MOVE("shared", MS_SHARED),
	MOVE("rshared", MS_SHARED | MS_REC),
	MOVE("slave", MS_SLAVE),
	MOVE("rslave", MS_SLAVE | MS_REC),
	MOVE("unbindable", MS_UNBINDABLE),
	MOVE("runbindable", MS_UNBINDABLE | MS_REC),
	SUPER("rasync", "async"),
	SUPER("rsync", "sync"),
	SUPER("rdirsync", "dirsync"),
	SUPER("rmand", "mand"),
	SUPER("rnomand", "nomand"),

	/* OPT3.  Of the mount itself, too, or an earlier "ro" would outlast "rrw". */
	REC("rro", RDONLY, 0),
	REC("rrw", 0, RDONLY),
	REC("rnosuid", NOSUID, 0),
	REC("rsuid", 0, NOSUID),
	REC("rnodev", NODEV, 0),
	REC("rdev", 0, NODEV),
	REC("rnoexec", NOEXEC, 0),
	REC("rexec", 0, NOEXEC),
	REC("rnodiratime", NODIRATIME, 0),
	REC("rdiratime", 0, NODIRATIME),
	REC("rrelatime", RELATIME, ATIME),
	NOTHING("rnorelatime"),
	REC("rnoatime", NOATIME, ATIME),
	REC("ratime", RELATIME, ATIME),
	REC("rstrictatime", STRICTATIME, ATIME),
	REC("rnostrictatime", RELATIME, ATIME),
	REC("rnosymfollow", NOSYMFOLLOW, 0),
	REC("rsymfollow", 0, NOSYMFOLLOW),

	/* OPT4 */
	ATTR("nosymfollow", NOSYMFOLLOW, 0),
	ATTR("symfollow", 0, NOSYMFOLLOW),
	FLAG("idmap", OCI_MOUNT_IDMAP),
	FLAG("ridmap", OCI_MOUNT_IDMAP | OCI_MOUNT_RIDMAP),

	/* OPT5.  POSIX ACLs are on or off by the filesystem's own options. */
	SUPER("mand", "mand"),
	SUPER("nomand", "nomand"),
	FLAG("tmpcopyup", OCI_MOUNT_TMPCOPYUP),
	NOTHING("acl"),
	NOTHING("noacl"),

	/* OPT6 */
	FLAG("copy-symlink", OCI_MOUNT_COPY_SYMLINK),
	FLAG("src-nofollow", OCI_MOUNT_SRC_NOFOLLOW),
	FLAG("dest-nofollow", OCI_MOUNT_DEST_NOFOLLOW),

	/* podman's, about what it does with a new volume before (-v NAME:DIR:nocopy), and passes on. */
	NOTHING("copy"),
	NOTHING("nocopy"),
};

const struct oci_mount_option *oci_mount_option_find(const char *name)
{
	for (size_t i = 0; i < DJ_COUNT(options); i++) {
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

const struct oci_mount_option *oci_mount_option_table(size_t *n)
{
	*n = DJ_COUNT(options);
	return options;
}
