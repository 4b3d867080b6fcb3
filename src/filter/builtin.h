/* The rows profiles/embed.py makes of the shipped profiles at build time. */
#ifndef FILTER_BUILTIN_H
#define FILTER_BUILTIN_H

#include "oci/spec.h"

enum { BUILTIN_MAX_ARGS = 2 };

struct builtin_rule {
	const char *names; /* one after the other, an empty one at the end */
	enum oci_seccomp_action action;
	int errno_ret; /* -1: absent */
	struct oci_seccomp_arg args[BUILTIN_MAX_ARGS];
	size_t n_args;
	uint64_t needs, excluded_by; /* capabilities */
};

struct builtin_profile {
	enum oci_seccomp_action default_action;
	int default_errno; /* -1: absent */
	const struct builtin_rule *rules;
	size_t n_rules;
};

extern const struct builtin_profile builtin_default, builtin_guard;

#endif
