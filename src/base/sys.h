/*
 * One thin wrapper per system call that libc lacks (musl, and glibc 2.36 for the newest).  Each
 * returns the result or -errno; nothing here decides anything.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The new mount API's constants: <linux/mount.h> and glibc's <sys/mount.h> cannot be included
 * together, so the few we use are spelled here.  Values: include/uapi/linux/mount.h. */
#define SYS_OPEN_TREE_CLONE 1U
#define SYS_AT_RECURSIVE 0x8000U
#define SYS_MOVE_MOUNT_F_EMPTY_PATH 0x00000004U
#define SYS_MOVE_MOUNT_T_EMPTY_PATH 0x00000040U
#define SYS_MOUNT_ATTR_RDONLY 0x00000001U
#define SYS_MOUNT_ATTR_NOSUID 0x00000002U
#define SYS_MOUNT_ATTR_NODEV 0x00000004U
#define SYS_MOUNT_ATTR_NOEXEC 0x00000008U
#define SYS_MOUNT_ATTR__ATIME 0x00000070U
#define SYS_MOUNT_ATTR_RELATIME 0x00000000U
#define SYS_MOUNT_ATTR_NOATIME 0x00000010U
#define SYS_MOUNT_ATTR_STRICTATIME 0x00000020U
#define SYS_MOUNT_ATTR_NODIRATIME 0x00000080U
#define SYS_MOUNT_ATTR_IDMAP 0x00100000U
#define SYS_MOUNT_ATTR_NOSYMFOLLOW 0x00200000U

/* fsconfig(2) commands. */
enum { SYS_FSCONFIG_FLAG = 0, SYS_FSCONFIG_STRING = 1, SYS_FSCONFIG_FD = 5, SYS_FSCONFIG_CREATE = 6 };

struct sys_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};

/* What statmount(2) is asked for here, and the part of its answer that holds it: offsets of strings
 * in `str`, valid where `mask` says so.  Values: include/uapi/linux/mount.h. */
#define SYS_STATMOUNT_SB_BASIC 0x00000001U
#define SYS_STATMOUNT_MNT_ROOT 0x00000008U
#define SYS_STATMOUNT_MNT_OPTS 0x00000080U
struct sys_statmount {
	uint32_t size, mnt_opts;
	uint64_t mask;
	uint32_t sb_dev_major, sb_dev_minor;
	uint8_t unused[80];
	uint32_t mnt_root;
	uint8_t rest[404];
	char str[];
};

int sys_openat2(int dir_fd, const char *path, const struct open_how *how);
int sys_mount_id(int fd, uint64_t *out); /* of the mount the descriptor is on (statx) */
int sys_mount_id_unique(int fd, uint64_t *out); /* one that is never used again (Linux 6.8) */
int sys_is_mount_root(int fd); /* 1 or 0: the descriptor is of the top of a mount */
int sys_statmount(uint64_t mount_id, uint64_t what, struct sys_statmount *out, size_t size);
int sys_listmount(uint64_t mount_id, uint64_t *out, size_t n); /* mounts below; how many */
int sys_open_tree(int dir_fd, const char *path, unsigned flags); /* O_CLOEXEC is added */
int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int sys_mount_setattr(int dir_fd, const char *path, unsigned flags, const struct sys_mount_attr *attr);
int sys_fsopen(const char *fstype); /* close-on-exec */
int sys_fsconfig(int fs_fd, unsigned cmd, const char *key, const void *value, int aux);
int sys_fsmount(int fs_fd, unsigned attr); /* close-on-exec */
int sys_pivot_root(const char *new_root, const char *put_old);

int sys_clone3(struct clone_args *args);
int sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);
int sys_pidfd_open(pid_t pid, unsigned flags);
int sys_pidfd_send_signal(int pidfd, int sig);
int sys_pidfd_getfd(int pidfd, int target_fd);
int sys_close_range(unsigned first, unsigned last, unsigned flags);
int sys_memfd_create(const char *name, unsigned flags);

int sys_capget(struct __user_cap_data_struct data[2]);
int sys_capset(const struct __user_cap_data_struct data[2]);
int sys_setresuid(uid_t r, uid_t e, uid_t s); /* raw: this thread only */
int sys_setresgid(gid_t r, gid_t e, gid_t s);
int sys_setgroups(size_t n, const gid_t *groups);
int sys_seccomp(unsigned op, unsigned flags, void *arg);
long sys_keyctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int sys_bpf(int cmd, void *attr, size_t size);

#endif
