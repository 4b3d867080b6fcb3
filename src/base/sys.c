#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Numbers that musl's or glibc's headers of 2022 may lack; the same on every architecture. */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x00004000U
#endif

_Static_assert(sizeof(struct sys_statmount) == 512, "struct statmount as the kernel has it");

/* struct mnt_id_req, first version. */
struct mount_request {
	uint32_t size, spare;
	uint64_t mount_id, param;
};

enum { OPEN_TREE_CLOEXEC_ = O_CLOEXEC, FSOPEN_CLOEXEC_ = 1, FSMOUNT_CLOEXEC_ = 1 };

static int result(long r)
{
	return r < 0 ? -errno : (int)r;
}

int sys_openat2(int dir_fd, const char *path, const struct open_how *how)
{
	return result(syscall(SYS_openat2, dir_fd, path, how, sizeof(*how)));
}

static int mount_id(int fd, unsigned kind, uint64_t *out)
{
	struct statx stx = { 0 };
	int r = result(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, kind, &stx));

	if (r < 0)
		return r;
	if (!(stx.stx_mask & kind))
		return -ENOSYS;
	*out = stx.stx_mnt_id;
	return 0;
}

int sys_mount_id(int fd, uint64_t *out)
{
	return mount_id(fd, STATX_MNT_ID, out);
}

int sys_mount_id_unique(int fd, uint64_t *out)
{
	return mount_id(fd, STATX_MNT_ID_UNIQUE, out);
}

int sys_is_mount_root(int fd)
{
	struct statx stx = { 0 };
	int r = result(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0, &stx));

	if (r < 0)
		return r;
	if (!(stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT))
		return -ENOSYS;
	return (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

int sys_statmount(uint64_t id, uint64_t what, struct sys_statmount *out, size_t size)
{
	const struct mount_request request = {
		.size = sizeof(request), .mount_id = id, .param = what,
	};

	return result(syscall(SYS_statmount, &request, out, size, 0));
}

int sys_listmount(uint64_t id, uint64_t *out, size_t n)
{
	const struct mount_request request = { .size = sizeof(request), .mount_id = id };

	return result(syscall(SYS_listmount, &request, out, n, 0));
}

int sys_open_tree(int dir_fd, const char *path, unsigned flags)
{
	return result(syscall(SYS_open_tree, dir_fd, path, flags | (unsigned)OPEN_TREE_CLOEXEC_));
}

int sys_move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return result(syscall(SYS_move_mount, from_fd, from, to_fd, to, flags));
}

int sys_mount_setattr(int dir_fd, const char *path, unsigned flags, const struct sys_mount_attr *attr)
{
	return result(syscall(SYS_mount_setattr, dir_fd, path, flags, attr, sizeof(*attr)));
}

int sys_fsopen(const char *fstype)
{
	return result(syscall(SYS_fsopen, fstype, FSOPEN_CLOEXEC_));
}

int sys_fsconfig(int fs_fd, unsigned cmd, const char *key, const void *value, int aux)
{
	return result(syscall(SYS_fsconfig, fs_fd, cmd, key, value, aux));
}

int sys_fsmount(int fs_fd, unsigned attr)
{
	return result(syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOEXEC_, attr));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return result(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_clone3(struct clone_args *args)
{
	return result(syscall(SYS_clone3, args, sizeof(*args)));
}

int sys_execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return result(syscall(SYS_execveat, fd, path, argv, envp, flags));
}

int sys_pidfd_open(pid_t pid, unsigned flags)
{
	return result(syscall(SYS_pidfd_open, pid, flags));
}

int sys_pidfd_send_signal(int pidfd, int sig)
{
	return result(syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int sys_pidfd_getfd(int pidfd, int target_fd)
{
	return result(syscall(SYS_pidfd_getfd, pidfd, target_fd, 0));
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return result(syscall(SYS_close_range, first, last, flags));
}

int sys_memfd_create(const char *name, unsigned flags)
{
	return result(syscall(SYS_memfd_create, name, flags));
}

int sys_capget(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return result(syscall(SYS_capget, &head, data));
}

int sys_capset(const struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return result(syscall(SYS_capset, &head, data));
}

int sys_setresuid(uid_t r, uid_t e, uid_t s)
{
	return result(syscall(SYS_setresuid, r, e, s));
}

int sys_setresgid(gid_t r, gid_t e, gid_t s)
{
	return result(syscall(SYS_setresgid, r, e, s));
}

int sys_setgroups(size_t n, const gid_t *groups)
{
	return result(syscall(SYS_setgroups, n, groups));
}

int sys_seccomp(unsigned op, unsigned flags, void *arg)
{
	return result(syscall(SYS_seccomp, op, flags, arg));
}

long sys_keyctl(int op, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	long r = syscall(SYS_keyctl, op, a, b, c, d);

	return r < 0 ? -errno : r;
}

int sys_bpf(int cmd, void *attr, size_t size)
{
	return result(syscall(SYS_bpf, cmd, attr, size));
}
