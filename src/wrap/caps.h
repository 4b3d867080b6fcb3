/* Capability names through libcap-ng: "CAP_NET_ADMIN" <-> number.  Nobody else touches libcap-ng. */
#ifndef WRAP_CAPS_H
#define WRAP_CAPS_H

int caps_number(const char *name);      /* with or without CAP_, exact upper case; -1: unknown */
const char *caps_name(int number);      /* "CAP_NET_ADMIN"; NULL beyond the last known */
int caps_last(void);                    /* highest number known by name */

#endif
