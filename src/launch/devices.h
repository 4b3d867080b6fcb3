/* Device nodes and links below a directory descriptor: /dev, and P44's others. */
#ifndef LAUNCH_DEVICES_H
#define LAUNCH_DEVICES_H

#include "base/error.h"
#include "plan/plan.h"

/* A fresh tmpfs (B12: always ours, whatever the image has at /dev) with its nodes and links.
 * by mknod: the superblock must belong to the initial user namespace or the nodes would not open. */
int dev_make(const struct dj_plan *plan, const struct plan_mount *mount, struct donjon_error *err);

/* Fills an attached /dev with the host's own nodes, each bound onto an empty file: where mknod is not
 * allowed (rootless).  Only before the old root is gone. */
int dev_bind_nodes(const struct dj_plan *plan, int dev, struct donjon_error *err);

/* One node at `path` below root, by mknod or by binding the host's. */
int device_make(const struct dj_plan *plan, const struct plan_device *device, int root, const char *path,
		bool bind, struct donjon_error *err);

#endif
