#include "wrap/lsm.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/procfs.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <selinux/selinux.h>
#include <stdio.h>
#include <string.h>
#include <sys/apparmor.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

static void close_library(void **library)
{
	if (*library)
		(void)dlclose(*library);
}
#define auto_library __attribute__((cleanup(close_library)))

/* The loader's own text stays out of the error: callers read "no such file" in it as a missing
 * program (contract E7). */
static int fail_load(const char *what, struct donjon_error *err)
{
	log_debug("%s", dlerror());
	return dj_fail(err, DONJON_E_UNSUPPORTED, "%s is needed, but cannot be loaded", what);
}

/* An LSM that is on and a library that is missing: an error, never "off" (decision 36). */
static void *load(const char *soname, struct donjon_error *err)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		(void)fail_load(soname, err);
	return library;
}

/* ISO C has no conversion from an object pointer to a function pointer; POSIX promises it works. */
static int find(void *library, const char *name, void *out_function, struct donjon_error *err)
{
	void *symbol = dlsym(library, name);

	if (!symbol)
		return fail_load(name, err);
	memcpy(out_function, &symbol, sizeof(symbol));
	return 0;
}

/* As libapparmor judges it: enabled in the kernel, and its interface can be reached. */
bool apparmor_is_on(void)
{
	dj_auto_close int fd =
	        open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char enabled[8];

	return fd >= 0 && file_read_kernel(fd, enabled, sizeof(enabled)) == 1 &&
	       enabled[0] == 'Y' && access("/sys/kernel/security/apparmor", F_OK) == 0;
}

static int open_profiles(void *library, FILE **out, struct donjon_error *err)
{
	__typeof__(aa_find_mountpoint) *find_mountpoint;
	dj_auto_free char *mount_point = NULL, *path = NULL;

	if (find(library, "aa_find_mountpoint", &find_mountpoint, err) < 0)
		return -1;
	if (find_mountpoint(&mount_point) < 0)
		return dj_fail(err, DONJON_E_UNSUPPORTED, "apparmor's filesystem is not mounted");
	if (asprintf(&path, "%s/profiles", mount_point) < 0)
		return dj_fail_os(err, ENOMEM, "read apparmor's profiles");
	*out = fopen(path, "re");
	return *out ? 0 : dj_fail_os(err, errno, "read %s", path);
}

static void close_file(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

int apparmor_check_profile(const char *profile, struct donjon_error *err)
{
	auto_library void *library = NULL;
	__attribute__((cleanup(close_file))) FILE *profiles = NULL;
	__typeof__(aa_splitcon) *split;
	dj_auto_free char *line = NULL;
	size_t room = 0;

	if (strcmp(profile, "unconfined") == 0)
		return 0; /* always there, never listed */
	library = load("libapparmor.so.1", err);
	if (!library || find(library, "aa_splitcon", &split, err) < 0 ||
	    open_profiles(library, &profiles, err) < 0)
		return -1;
	while (getline(&line, &room, profiles) >= 0) {
		const char *name = split(line, NULL); /* "name (mode)" */

		if (name && strcmp(name, profile) == 0)
			return 0;
	}
	return dj_fail(err, DONJON_E_CONFIG, "apparmor profile \"%s\" is not loaded", profile);
}

/* As libselinux judges it: a read-only selinuxfs is what containers are shown. */
bool selinux_is_on(void)
{
	struct statfs fs;

	return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC &&
	       !((unsigned long)fs.f_flags & ST_RDONLY);
}

int selinux_check_label(const char *label, struct donjon_error *err)
{
	auto_library void *library = load("libselinux.so.1", err);
	__typeof__(security_check_context) *check;
	char reason[64];

	if (!library || find(library, "security_check_context", &check, err) < 0)
		return -1;
	if (check(label) < 0)
		return dj_fail(err, DONJON_E_CONFIG, "selinux label \"%s\" is not valid: %s", label,
		               dj_errno_text(errno, reason));
	return 0;
}

int selinux_label_sockets(const char *label, struct donjon_error *err)
{
	dj_auto_close int proc = procfs_open_host(err);

	if (proc < 0)
		return -1;
	return procfs_write(proc, "thread-self/attr/sockcreate", label ? label : "\n", err);
}
