/*
 * The prisoner looks at its cell from inside: a payload that needs nothing but the kernel and
 * prints JSON, one document a line.  It judges nothing except in `checks`; the tests do.
 */
#ifndef PRISONER_H
#define PRISONER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A JSON writer that keeps the commas.  key NULL: inside an array. */
void json_open(const char *key, char bracket);      /* '{' or '[' */
void json_close(char bracket);                      /* '}' or ']' */
void json_text(const char *key, const char *value); /* NULL: null */
void json_number(const char *key, long long value);
void json_bool(const char *key, bool value);
void json_line(void); /* ends the document */

/* Whole file, NUL-terminated, in a static buffer; NULL with errno set. */
char *slurp(const char *path, size_t *size);

const char *errno_name(int error); /* "EPERM"; "ok" for 0 */

/* One value of /proc/self/status without its key, in a static buffer; "" when absent. */
const char *status_value(const char *key);
unsigned long long status_hex(const char *key);

struct mount_line {
	char root[512], point[512], options[256], tags[128], type[64], source[256], super[512];
};
/* Calls back for every line of mountinfo, in order. */
void each_mount(void (*row)(const struct mount_line *mount, void *data), void *data);
/* The last line with this mount point: what is visible there. */
bool find_mount(const char *point, struct mount_line *out);
bool has_option(const char *options, const char *option);

unsigned long long ns_inode(const char *name); /* 0: not readable */

/* Runs a named attempt in a child of its own: errno name, "ok", "SIGSYS", "timeout". */
const char *attempt(const char *name_and_argument);
/* 0, an errno, or -signal. */
int attempt_code(const char *name_and_argument);

int cmd_report(int argc, char **argv);
int cmd_paths(int argc, char **argv);
int cmd_try(int argc, char **argv);
int cmd_tries(int argc, char **argv);
int cmd_checks(int argc, char **argv);
int cmd_stalk(int argc, char **argv);
int cmd_shoot(int argc, char **argv);
int cmd_swap(int argc, char **argv);
int cmd_notify(int argc, char **argv);
int cmd_flood(int argc, char **argv);

#endif
