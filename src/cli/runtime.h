/* What the commands share: a runtime from the global options, results on stdout. */
#ifndef CLI_RUNTIME_H
#define CLI_RUNTIME_H

#include "cli/options.h"
#include "donjon/donjon.h"

/* NULL with *err filled. */
struct donjon_runtime *cli_runtime(const struct cli_options *options, struct donjon_error *err);

/* More than any limit allows (fs.nr_open). */
enum { CLI_DESCRIPTORS_MAX = 1 << 20 };
/* Does --preserve-fds make sense? */
int cli_check_preserved(const struct cli_options *options, struct donjon_error *err);

/* Exit status of a dry run that worked (decision 39). */
enum { CLI_REFUSED = 3 };

/* Prints the text (adding a newline where it lacks one) and frees it.  A result that could not be
 * written is a failure. */
int cli_print(char *text_consume, struct donjon_error *err);

#endif
