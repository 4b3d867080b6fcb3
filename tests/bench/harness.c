/*
 * Starts commands and measures them: every candidate once per round, in a new random order, so
 * that whatever else the machine does falls on all of them alike.
 *
 * Small and static on purpose: a child's peak memory counts its time as a copy of this process.
 *
 * usage: harness ROUNDS SEED NULL-DEVICE < plan > results
 *
 * A line of the plan is CANDIDATE, STEP, ARGUMENT..., tab separated; the lines of a candidate
 * stand together and run in that order.  `@` in an argument becomes a fresh container id.
 * Two steps are built in: `rss FILE` reports the memory of the process whose pid is in FILE,
 * `reap FILE` waits for its end.  A result is CANDIDATE, STEP, wall microseconds, CPU microseconds,
 * peak KiB (rss: the memory, in the last column).
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_STEPS = 256, MAX_ARGS = 32, MAX_TEXT = 64 << 10, WARM_UP = 3, PAUSE_US = 3000 };

struct step {
	const char *candidate, *name;
	char *args[MAX_ARGS];
};

struct candidate {
	const struct step *first;
	size_t n;
};

extern char **environ;
static posix_spawn_file_actions_t quiet;

static void die(const char *what, const struct step *step)
{
	fprintf(stderr, "harness: %s: %s %s\n", what, step ? step->candidate : "",
	        step ? step->name : "");
	exit(1);
}

static size_t read_plan(struct step *steps)
{
	static char text[MAX_TEXT];
	size_t n = 0, size = fread(text, 1, sizeof(text) - 1, stdin);
	char *rest = text, *line;

	if (size == sizeof(text) - 1)
		die("plan too long", NULL);
	while ((line = strsep(&rest, "\n"))) {
		size_t n_args = 0;
		char *word;

		if (!*line)
			continue;
		if (n == MAX_STEPS)
			die("too many steps", NULL);
		steps[n].candidate = strsep(&line, "\t");
		steps[n].name = strsep(&line, "\t");
		while ((word = strsep(&line, "\t")) && n_args < MAX_ARGS - 1)
			steps[n].args[n_args++] = word;
		if (n_args == 0 || word)
			die("bad line", &steps[n]);
		n++;
	}
	return n;
}

static size_t group(const struct step *steps, size_t n, struct candidate *out)
{
	size_t n_out = 0;

	for (size_t i = 0; i < n; i++) {
		if (n_out == 0 || strcmp(out[n_out - 1].first->candidate, steps[i].candidate) != 0)
			out[n_out++] = (struct candidate){ .first = &steps[i] };
		out[n_out - 1].n++;
	}
	return n_out;
}

/* The arguments with `@` replaced, in one static buffer. */
static char **with_id(const struct step *step, const char *id)
{
	static char buffer[8192];
	static char *args[MAX_ARGS];
	char *end = buffer;

	for (size_t i = 0; i < MAX_ARGS; i++) {
		const char *from = step->args[i];

		args[i] = from ? end : NULL;
		for (; from && *from; from++) {
			if (*from == '@')
				end = stpcpy(end, id);
			else
				*end++ = *from;
			if (end > buffer + sizeof(buffer) - 256)
				die("arguments too long", step);
		}
		*end++ = '\0';
	}
	return args;
}

static pid_t pid_in(const char *path, const struct step *step)
{
	int pid = 0;
	FILE *file = fopen(path, "re");

	if (!file || fscanf(file, "%d", &pid) != 1)
		die("no pid", step);
	fclose(file);
	return pid;
}

static long resident_kib(pid_t pid, const struct step *step)
{
	char path[64], line[128];
	long kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	FILE *file = fopen(path, "re");
	while (file && kib < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "Rss: %ld kB", &kib);
	if (!file || kib < 0)
		die("no memory figure", step);
	fclose(file);
	return kib;
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static long long cpu_us(const struct rusage *usage)
{
	return (usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000LL +
	       usage->ru_utime.tv_usec + usage->ru_stime.tv_usec;
}

static void report(const struct step *step, long long wall, long long cpu, long kib)
{
	printf("%s\t%s\t%lld\t%lld\t%ld\n", step->candidate, step->name, wall, cpu, kib);
}

static void measure(const struct step *step, char **args, int counted)
{
	struct rusage usage;
	int status;
	pid_t pid;
	const long long began = now_us();

	if (posix_spawn(&pid, args[0], &quiet, NULL, args, environ) != 0)
		die("cannot start", step);
	if (wait4(pid, &status, 0, &usage) != pid)
		die("lost", step);
	const long long ended = now_us();
	if (status != 0)
		die("failed", step);
	if (counted)
		report(step, ended - began, cpu_us(&usage), usage.ru_maxrss);
}

static void run_step(const struct step *step, const char *id, int counted)
{
	char **args = with_id(step, id);

	if (strcmp(step->name, "rss") == 0) {
		const long kib = resident_kib(pid_in(args[0], step), step);
		if (counted)
			report(step, 0, 0, kib);
	} else if (strcmp(step->name, "reap") == 0) {
		/* It was orphaned to us: we are the subreaper. */
		if (waitpid(pid_in(args[0], step), NULL, 0) < 0)
			die("cannot reap", step);
	} else {
		usleep(PAUSE_US);
		measure(step, args, counted);
	}
}

static void shuffle(size_t *order, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		const size_t j = (size_t)rand() % i, kept = order[i - 1];

		order[i - 1] = order[j];
		order[j] = kept;
	}
}

static void run_round(const struct candidate *candidates, size_t n, int round)
{
	size_t order[MAX_STEPS];
	char id[64];

	for (size_t i = 0; i < n; i++)
		order[i] = i;
	shuffle(order, n);
	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &candidates[order[i]];

		snprintf(id, sizeof(id), "bench-%d-%d-%zu", getpid(), round, i);
		for (size_t step = 0; step < c->n; step++)
			run_step(&c->first[step], id, round >= WARM_UP);
	}
	/* Helpers that a runtime leaves behind. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

int main(int argc, char **argv)
{
	static struct step steps[MAX_STEPS];
	static struct candidate candidates[MAX_STEPS];

	if (argc != 4)
		die("usage: harness ROUNDS SEED NULL-DEVICE", NULL);
	srand((unsigned)atoi(argv[2]));
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ||
	    posix_spawn_file_actions_init(&quiet) != 0 ||
	    posix_spawn_file_actions_addopen(&quiet, 0, argv[3], O_RDONLY, 0) != 0 ||
	    posix_spawn_file_actions_addopen(&quiet, 1, argv[3], O_WRONLY, 0) != 0)
		die("cannot set up", NULL);

	const size_t n = group(steps, read_plan(steps), candidates);
	for (int round = 0; round < atoi(argv[1]) + WARM_UP; round++)
		run_round(candidates, n, round);
	return 0;
}
