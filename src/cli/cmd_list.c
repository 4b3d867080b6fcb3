#include "cli/commands.h"
#include "cli/create.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ID, PID, STATUS, BUNDLE, CREATED, OWNER, COLUMN_COUNT };

struct row {
	const char *text[COLUMN_COUNT];
	char pid[16];
};

static void fill_row(const struct donjon_container_info *info, struct row *row)
{
	(void)snprintf(row->pid, sizeof(row->pid), "%d", (int)info->pid);
	row->text[ID] = info->id;
	row->text[PID] = row->pid;
	row->text[STATUS] = info->status;
	row->text[BUNDLE] = info->bundle;
	row->text[CREATED] = info->created;
	row->text[OWNER] = info->owner;
}

static void print_row(const struct row *row, const int width[COLUMN_COUNT])
{
	for (int i = 0; i < OWNER; i++)
		printf("%-*s  ", width[i], row->text[i]);
	printf("%s\n", row->text[OWNER]);
}

static void print_table(const struct donjon_container_info *list, size_t n)
{
	static const struct row head = { .text = { "ID", "PID", "STATUS", "BUNDLE", "CREATED",
		                                   "OWNER" } };
	int width[COLUMN_COUNT];
	struct row row;

	for (int i = 0; i < COLUMN_COUNT; i++)
		width[i] = (int)strlen(head.text[i]);
	for (size_t k = 0; k < n; k++) {
		fill_row(&list[k], &row);
		for (int i = 0; i < COLUMN_COUNT; i++)
			if ((int)strlen(row.text[i]) > width[i])
				width[i] = (int)strlen(row.text[i]);
	}
	print_row(&head, width);
	for (size_t k = 0; k < n; k++) {
		fill_row(&list[k], &row);
		print_row(&row, width);
	}
}

static int list(struct donjon_runtime *runtime, bool quiet, struct donjon_error *err)
{
	struct donjon_container_info *all = NULL;
	size_t n = 0;

	if (donjon_container_list(runtime, &all, &n, err) < 0)
		return -1;
	if (!quiet)
		print_table(all, n);
	for (size_t i = 0; quiet && i < n; i++)
		puts(all[i].id);
	donjon_list_free(all);
	if (ferror(stdout) || fflush(stdout) != 0)
		return cli_fail(err, DONJON_E_SYSTEM, "write to standard output: %s",
		                cli_reason(errno));
	return 0;
}

static int list_json(struct donjon_runtime *runtime, struct donjon_error *err)
{
	char *json = NULL;

	return donjon_container_list_json(runtime, &json, err) < 0 ? -1 : cli_print(json, err);
}

int cmd_list(const struct cli_options *o, int argc, char **argv, struct donjon_error *err)
{
	struct donjon_runtime *runtime = cli_runtime(o, err);
	int r = -1;

	(void)argc;
	(void)argv;
	if (runtime)
		r = cli_wants_json(o) && !o->quiet ? list_json(runtime, err)
		                                   : list(runtime, o->quiet, err);
	donjon_runtime_free(runtime);
	return r;
}
