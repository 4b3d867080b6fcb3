/* The mount option strings of the contract (OPT1-OPT8) as one table: what each sets and clears.
 * Read by decode's users (src/plan/mounts.c), by features and by the tests.
 *
 * Options are applied in the order listed, so that the later one wins: first the row's clear bits
 * leave what is to be set, then its set bits join it; both become part of what is to be cleared in
 * the kernel.  Rows that touch access times always clear the whole field, as mount_setattr(2)
 * demands.  Those without any effect are still ours: they must not reach the filesystem as data. */
#ifndef OCI_MOUNT_OPTIONS_H
#define OCI_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum oci_mount_flag {
	OCI_MOUNT_BIND = 1 << 0,  /* "bind" and "rbind" */
	OCI_MOUNT_RBIND = 1 << 1, /* "rbind" */
	OCI_MOUNT_REMOUNT = 1 << 2,
	OCI_MOUNT_IDMAP = 1 << 3,  /* "idmap" and "ridmap" */
	OCI_MOUNT_RIDMAP = 1 << 4, /* "ridmap" */
	OCI_MOUNT_TMPCOPYUP = 1 << 5,
	OCI_MOUNT_COPY_SYMLINK = 1 << 6,
	OCI_MOUNT_SRC_NOFOLLOW = 1 << 7,
	OCI_MOUNT_DEST_NOFOLLOW = 1 << 8,
};

struct oci_mount_option {
	const char *name;
	uint64_t set, clear;         /* SYS_MOUNT_ATTR_* of this mount */
	uint64_t rec_set, rec_clear; /* the same of those below, too ("rro") */
	uint64_t propagation;        /* MS_PRIVATE..., with MS_REC for the r forms */
	const char *super;           /* superblock flag for fsconfig ("sync", "async", "mand"), or NULL */
	uint32_t flags;              /* enum oci_mount_flag */
};

/* NULL: not one of ours, so it goes to the filesystem as data (P10). */
const struct oci_mount_option *oci_mount_option_find(const char *name);
const struct oci_mount_option *oci_mount_option_table(size_t *n);

#endif
