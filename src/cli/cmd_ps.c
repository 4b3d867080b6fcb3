#include "cli/commands.h"
#include "cli/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct pids {
	pid_t *v;
	size_t n;
};

static int print_json(const struct pids *pids, struct donjon_error *err)
{
	printf("[");
	for (size_t i = 0; i < pids->n; i++)
		printf("%s%d", i ? "," : "", (int)pids->v[i]);
	printf("]\n");
	if (ferror(stdout) || fflush(stdout) != 0)
		return cli_fail(err, DONJON_E_SYSTEM, "write to standard output: %s",
		                cli_reason(errno));
	return 0;
}

/* ---- the table: ps(1) itself, less the lines of other processes (N7) ---- */

/* Which blank-separated field the header calls PID, or -1. */
static int pid_field(const char *header)
{
	const char *word = header + strspn(header, " \t");

	for (int i = 0; *word && *word != '\n'; i++) {
		size_t len = strcspn(word, " \t\n");

		if (len == 3 && strncmp(word, "PID", 3) == 0)
			return i;
		word += len;
		word += strspn(word, " \t");
	}
	return -1;
}

static long number_in_field(const char *line, int field)
{
	for (line += strspn(line, " \t"); field > 0; field--) {
		line += strcspn(line, " \t\n");
		line += strspn(line, " \t");
	}
	return strtol(line, NULL, 10);
}

static bool has_pid(const struct pids *pids, long pid)
{
	for (size_t i = 0; i < pids->n; i++)
		if (pids->v[i] == pid)
			return true;
	return false;
}

/* Reads to the end in any case, so that ps is not stopped half-way. */
static int filter(FILE *table, const struct pids *pids, struct donjon_error *err)
{
	char *line = NULL;
	size_t room = 0;
	int field = -1;

	for (bool first = true; getline(&line, &room, table) > 0; first = false) {
		if (first)
			field = pid_field(line);
		if (field >= 0 && (first || has_pid(pids, number_in_field(line, field))))
			fputs(line, stdout);
	}
	free(line);
	if (field < 0)
		return cli_fail(err, DONJON_E_USAGE, "the output of ps has no column PID");
	if (ferror(table) || ferror(stdout) || fflush(stdout) != 0)
		return cli_fail(err, DONJON_E_SYSTEM, "copy the output of ps: %s", cli_reason(errno));
	return 0;
}

/* ps with its output in a pipe; its complaints go to our own stderr. */
static int spawn_ps(char **arguments, int output, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return r;
	r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawnp(pid, "ps", &actions, NULL, arguments, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int end_ps(pid_t pid, struct donjon_error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return cli_fail(err, DONJON_E_SYSTEM, "wait for ps: %s", cli_reason(errno));
	if (status == 0 || err->code != DONJON_OK)
		return err->code == DONJON_OK ? 0 : -1;
	return cli_fail(err, DONJON_E_SYSTEM, "ps failed");
}

static int print_table(const struct pids *pids, char **arguments, struct donjon_error *err)
{
	FILE *table;
	int ends[2], r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return cli_fail(err, DONJON_E_SYSTEM, "make a pipe: %s", cli_reason(errno));
	r = spawn_ps(arguments, ends[1], &pid);
	(void)close(ends[1]);
	table = r == 0 ? fdopen(ends[0], "r") : NULL;
	if (!table) {
		(void)close(ends[0]);
		return cli_fail(err, DONJON_E_SYSTEM, "run ps: %s", cli_reason(r ? r : errno));
	}
	(void)filter(table, pids, err);
	(void)fclose(table); /* read only: nothing can be lost */
	return end_ps(pid, err);
}

int cmd_ps(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	static char ps[] = "ps", everything[] = "-ef";
	char *defaults[] = { ps, everything, NULL };
	struct donjon_runtime *runtime = cli_runtime(o, err);
	bool json = o->format && strcmp(o->format, "json") == 0;
	struct pids pids = { 0 };
	int r = -1;

	if (runtime)
		r = donjon_container_processes(runtime, argv[0], &pids.v, &pids.n, err);
	if (r == 0) {
		argv[0] = ps; /* in front of the arguments for it */
		r = json ? print_json(&pids, err)
		         : print_table(&pids, argc > 1 ? argv : defaults, err);
	}
	donjon_free(pids.v);
	donjon_runtime_free(runtime);
	return r;
}
