/* The specification's words and what they stand for, one table per set of words: read by decode,
 * printed by features. */
#ifndef OCI_NAMES_H
#define OCI_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct oci_word {
	const char *name;
	uint64_t value;
};

struct oci_words {
	const char *what; /* "namespace type", for errors */
	const struct oci_word *v;
	size_t n;
};

extern const struct oci_words oci_namespace_words;    /* enum oci_ns */
extern const struct oci_words oci_hook_words;         /* enum oci_hook_kind */
extern const struct oci_words oci_rlimit_words;       /* RLIMIT_* */
extern const struct oci_words oci_propagation_words;  /* MS_*, with MS_REC for the r forms */
extern const struct oci_words oci_personality_words;  /* PER_* */
extern const struct oci_words oci_sched_policy_words; /* SCHED_* */
extern const struct oci_words oci_sched_flag_words;   /* SCHED_FLAG_* */
extern const struct oci_words oci_io_class_words;     /* IOPRIO_CLASS_* */
extern const struct oci_words oci_memory_mode_words;  /* MPOL_* */
extern const struct oci_words oci_memory_flag_words;  /* MPOL_F_* */
extern const struct oci_words oci_action_words;       /* enum oci_seccomp_action */
extern const struct oci_words oci_operator_words;     /* enum oci_seccomp_op */
extern const struct oci_words oci_arch_words;         /* AUDIT_ARCH_*, OCI_ARCH_X32 */
extern const struct oci_words oci_filter_flag_words;  /* SECCOMP_FILTER_FLAG_* */

bool oci_word_value(const struct oci_words *words, const char *name, uint64_t *value);
/* NULL if there is none.  The first of several words for one value is the preferred one. */
const char *oci_word_name(const struct oci_words *words, uint64_t value);

#endif
