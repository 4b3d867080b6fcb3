/* Probes struct host_facts: reads, never changes. */
#ifndef ENGINE_HOST_H
#define ENGINE_HOST_H

#include "base/error.h"
#include "base/host.h"

int host_probe(struct host_facts *out, struct donjon_error *err);
bool host_is_initial_userns(void);

#endif
