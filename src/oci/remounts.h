/* Entries of `mounts` that change what an earlier one mounted ("remount"). */
#ifndef OCI_REMOUNTS_H
#define OCI_REMOUNTS_H

#include "base/arena.h"
#include "oci/spec.h"

/* Gives the earlier entry what a later one would make of it, so that every rule and the read-back judge
 * what the program will find there.  The later one stays, for the numbers of the list, and says nothing
 * but "remount". */
void oci_fold_remounts(struct oci_spec *spec, struct dj_arena *arena);

#endif
