/* All of the library. */
#ifndef DONJON_DONJON_H
#define DONJON_DONJON_H

#include "donjon/container.h"
#include "donjon/error.h"
#include "donjon/events.h"
#include "donjon/exec.h"
#include "donjon/features.h"
#include "donjon/log.h"
#include "donjon/sandbox.h"
#include "donjon/update.h"

#endif
