/* How messages name the members of config.json: "process.env[1]", "linux.netDevices.eth0", and with
 * names that are no identifiers as in annotations["a.b"]. */
#ifndef OCI_POINTER_H
#define OCI_POINTER_H

#include "base/arena.h"

#include <stddef.h>

enum { OCI_KEY_SHOWN = 64 };

/* The part that a name adds to the pointer of its object, as snprintf. */
int oci_print_key(char *buf, size_t room, const char *key);

char *oci_pointer(struct dj_arena *arena, const char *object, const char *key);

#endif
