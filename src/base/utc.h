/* Time stamps.  gmtime_r(3) would read /etc/localtime first, at every start of the program. */
#ifndef BASE_UTC_H
#define BASE_UTC_H

#include <time.h>

enum { DJ_UTC_SIZE = sizeof("-292277022656-01-01T00:00:00") };

/* "2026-02-28T23:59:59", proleptic Gregorian; what follows the seconds is the caller's. */
void dj_utc(time_t seconds, char out[static DJ_UTC_SIZE]);

#endif
