/* Lists of CPUs and memory nodes as people and the kernel write them: "0-3,7". */
#ifndef OCI_NUMBER_LIST_H
#define OCI_NUMBER_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets the bits the list names.  False: no such list, or a number the mask has no bit for. */
bool oci_number_list(const char *list, uint64_t *mask, size_t words);

#endif
