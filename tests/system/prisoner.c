/*
 * prisoner COMMAND [ARG...] [+ COMMAND [ARG...]]...
 *
 * The commands run in turn; the exit status is the last one's.
 */
#include "prisoner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* JSON */

static bool need_comma;

static void put_text(const char *text)
{
	putchar('"');
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			printf("\\%c", *p);
		else if (*p < 0x20 || *p >= 0x7f)
			printf("\\u%04x", *p); /* bytes, not characters: enough for the tests */
		else
			putchar(*p);
	}
	putchar('"');
}

static void put_key(const char *key)
{
	if (need_comma)
		putchar(',');
	need_comma = true;
	if (key != NULL) {
		put_text(key);
		putchar(':');
	}
}

void json_open(const char *key, char bracket)
{
	put_key(key);
	putchar(bracket);
	need_comma = false;
}

void json_close(char bracket)
{
	putchar(bracket);
	need_comma = true;
}

void json_text(const char *key, const char *value)
{
	put_key(key);
	if (value == NULL)
		fputs("null", stdout);
	else
		put_text(value);
}

void json_number(const char *key, long long value)
{
	put_key(key);
	printf("%lld", value);
}

void json_bool(const char *key, bool value)
{
	put_key(key);
	fputs(value ? "true" : "false", stdout);
}

void json_line(void)
{
	putchar('\n');
	need_comma = false;
	fflush(stdout);
}

/* Reading the kernel */

char *slurp(const char *path, size_t *size)
{
	static char buffer[256 * 1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	size_t used = 0;
	ssize_t n = 0;
	while (used < sizeof(buffer) - 1 &&
	       (n = read(fd, buffer + used, sizeof(buffer) - 1 - used)) > 0)
		used += (size_t)n;
	int error = errno;
	close(fd);
	if (n < 0) {
		errno = error;
		return NULL;
	}
	buffer[used] = '\0';
	if (size != NULL)
		*size = used;
	return buffer;
}

const char *errno_name(int error)
{
#define NAME(e)                                                                                    \
	{                                                                                          \
		e, #e                                                                              \
	}
	/* clang-format off */
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{ 0, "ok" },        NAME(EPERM),        NAME(ENOENT),       NAME(ESRCH),
		NAME(EINTR),        NAME(EIO),          NAME(ENXIO),        NAME(E2BIG),
		NAME(ENOEXEC),      NAME(EBADF),        NAME(ECHILD),       NAME(EAGAIN),
		NAME(ENOMEM),       NAME(EACCES),       NAME(EFAULT),       NAME(EBUSY),
		NAME(EEXIST),       NAME(EXDEV),        NAME(ENODEV),       NAME(ENOTDIR),
		NAME(EISDIR),       NAME(EINVAL),       NAME(EMFILE),       NAME(ENOTTY),
		NAME(ETXTBSY),      NAME(EFBIG),        NAME(ENOSPC),       NAME(ESPIPE),
		NAME(EROFS),        NAME(EMLINK),       NAME(EPIPE),        NAME(ERANGE),
		NAME(ENAMETOOLONG), NAME(ENOSYS),       NAME(ENOTEMPTY),    NAME(ELOOP),
		NAME(EOVERFLOW),    NAME(EUSERS),       NAME(EOPNOTSUPP),   NAME(EAFNOSUPPORT),
		NAME(EPROTONOSUPPORT), NAME(ENOKEY),    NAME(EDQUOT),       NAME(ESTALE),
		NAME(ENODATA),      NAME(ESOCKTNOSUPPORT), NAME(ECONNREFUSED), NAME(EADDRINUSE),
		NAME(ENOTCONN),     NAME(ENOTSOCK),     NAME(EKEYEXPIRED),  NAME(EDEADLK),
	};
	/* clang-format on */
#undef NAME
	static char other[24];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	snprintf(other, sizeof(other), "errno %d", error);
	return other;
}

const char *status_value(const char *key)
{
	static char value[512];
	value[0] = '\0';
	const char *text = slurp("/proc/self/status", NULL);
	size_t length = strlen(key);
	while (text != NULL && *text != '\0') {
		const char *end = strchr(text, '\n');
		if (end == NULL)
			break;
		if (strncmp(text, key, length) == 0 && text[length] == ':') {
			text += length + 1;
			text += strspn(text, "\t ");
			snprintf(value, sizeof(value), "%.*s", (int)(end - text), text);
			break;
		}
		text = end + 1;
	}
	return value;
}

unsigned long long status_hex(const char *key)
{
	return strtoull(status_value(key), NULL, 16);
}

/* Octal escapes of mountinfo. */
static void copy_field(char *out, size_t size, const char *in, size_t n)
{
	size_t used = 0;
	for (size_t i = 0; i < n && used + 1 < size; i++) {
		if (in[i] == '\\' && i + 3 < n) {
			out[used++] = (char)((in[i + 1] - '0') * 64 + (in[i + 2] - '0') * 8 +
			                     (in[i + 3] - '0'));
			i += 3;
		} else {
			out[used++] = in[i];
		}
	}
	out[used] = '\0';
}

static bool parse_mount(char *line, struct mount_line *m)
{
	char *words[32];
	size_t n = 0;
	for (char *save = NULL, *word = strtok_r(line, " ", &save); word != NULL && n < 32;
	     word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	size_t dash = 6;
	while (dash < n && strcmp(words[dash], "-") != 0)
		dash++;
	if (dash + 3 > n - 1 + 1 || dash + 2 >= n)
		return false;
	memset(m, 0, sizeof(*m));
	copy_field(m->root, sizeof(m->root), words[3], strlen(words[3]));
	copy_field(m->point, sizeof(m->point), words[4], strlen(words[4]));
	copy_field(m->options, sizeof(m->options), words[5], strlen(words[5]));
	for (size_t i = 6; i < dash; i++) {
		size_t used = strlen(m->tags);
		snprintf(m->tags + used, sizeof(m->tags) - used, "%s%s", used > 0 ? " " : "",
		         words[i]);
	}
	copy_field(m->type, sizeof(m->type), words[dash + 1], strlen(words[dash + 1]));
	copy_field(m->source, sizeof(m->source), words[dash + 2], strlen(words[dash + 2]));
	if (dash + 3 < n)
		copy_field(m->super, sizeof(m->super), words[dash + 3], strlen(words[dash + 3]));
	return true;
}

void each_mount(void (*row)(const struct mount_line *mount, void *data), void *data)
{
	const char *text = slurp("/proc/self/mountinfo", NULL);
	char *copy = text != NULL ? strdup(text) : NULL; /* the callback may slurp, too */
	if (copy == NULL)
		return;
	for (char *save = NULL, *line = strtok_r(copy, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		struct mount_line mount;
		if (parse_mount(line, &mount))
			row(&mount, data);
	}
	free(copy);
}

struct mount_search {
	const char *point;
	struct mount_line *out;
	bool found;
};

static void match_mount(const struct mount_line *mount, void *data)
{
	struct mount_search *search = data;
	if (strcmp(mount->point, search->point) == 0) {
		*search->out = *mount;
		search->found = true;
	}
}

bool find_mount(const char *point, struct mount_line *out)
{
	struct mount_search search = { .point = point, .out = out };
	each_mount(match_mount, &search);
	return search.found;
}

bool has_option(const char *options, const char *option)
{
	size_t length = strlen(option);
	for (const char *p = options; (p = strstr(p, option)) != NULL; p += length)
		if ((p == options || p[-1] == ',') && (p[length] == '\0' || p[length] == ','))
			return true;
	return false;
}

unsigned long long ns_inode(const char *name)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return stat(path, &st) == 0 ? (unsigned long long)st.st_ino : 0;
}

/* Commands that act rather than look */

static int cmd_exit(int argc, char **argv)
{
	return argc > 1 ? atoi(argv[1]) : 0;
}

static int cmd_kill(int argc, char **argv)
{
	int sig = argc > 1 ? atoi(argv[1]) : SIGTERM;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	signal(sig, SIG_DFL);
	/* Pid 1 of a namespace ignores what it does not handle, so a child does the dying. */
	pid_t child = fork();
	if (child == 0) {
		raise(sig);
		_exit(99);
	}
	int status = 0;
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 98;
}

/* Dies of a fault, which the kernel delivers to pid 1, too. */
static int cmd_crash(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	volatile int *volatile nowhere = NULL;
	*nowhere = 1;
	return 97;
}

static int cmd_sleep(int argc, char **argv)
{
	sleep(argc > 1 ? (unsigned)atoi(argv[1]) : 1000);
	return 0;
}

static volatile sig_atomic_t caught;
static void on_signal(int sig)
{
	caught = sig;
}

/* Reports every catchable signal and leaves at SIGTERM, so that forwarding can be seen. */
static int cmd_signals(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t all, none;
	sigfillset(&all);
	sigemptyset(&none);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int sig = 1; sig < SIGRTMAX; sig++)
		sigaction(sig, &action, NULL);
	puts("ready");
	fflush(stdout);
	for (;;) {
		caught = 0;
		sigsuspend(&none);
		if (caught == SIGCHLD)
			continue;
		printf("got %d\n", (int)caught);
		fflush(stdout);
		if (caught == SIGTERM)
			return 0;
	}
}

/* Fills memory until something stops it. */
static int cmd_eat(int argc, char **argv)
{
	size_t megabytes = argc > 1 ? (size_t)atoi(argv[1]) : 1024;
	for (size_t i = 0; i < megabytes; i++) {
		char *block = malloc(1 << 20);
		if (block == NULL)
			return 12;
		memset(block, 1, 1 << 20);
	}
	return 0;
}

/* Forks until it is refused: prints how many children it got. */
static int cmd_fork(int argc, char **argv)
{
	int want = argc > 1 ? atoi(argv[1]) : 1000, got = 0;
	pid_t *children = calloc((size_t)want + 1, sizeof(*children));
	if (children == NULL)
		return 12;
	for (; got < want; got++) {
		children[got] = fork();
		if (children[got] == 0) {
			pause();
			_exit(0);
		}
		if (children[got] < 0)
			break;
	}
	for (int i = 0; i < got; i++)
		kill(children[i], SIGKILL);
	json_open(NULL, '{');
	json_number("children", got);
	json_close('}');
	json_line();
	free(children);
	return 0;
}

static void *sleep_on(void *unused)
{
	(void)unused;
	puts("headless");
	fflush(stdout);
	for (;;)
		pause();
	return NULL;
}

/* Its first thread ends and another goes on: the process looks like a zombie and is none. */
static int cmd_headless(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	pthread_t thread;
	if (pthread_create(&thread, NULL, sleep_on, NULL) != 0)
		return 12;
	syscall(SYS_exit, 0);
	return 0;
}

/* Leaves a child behind that outlives the first process of a shared pid namespace. */
static int cmd_orphan(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (fork() == 0) {
		setsid();
		for (;;)
			pause();
	}
	puts("left");
	fflush(stdout);
	return 0;
}

static int cmd_write(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], errno_name(errno));
		return 1;
	}
	ssize_t n = write(fd, argv[2], strlen(argv[2]));
	int error = errno;
	close(fd);
	if (n < 0)
		fprintf(stderr, "%s: %s\n", argv[1], errno_name(error));
	return n < 0;
}

static int cmd_read(int argc, char **argv)
{
	int failed = 0;
	for (int i = 1; i < argc; i++) {
		size_t size = 0;
		const char *text = slurp(argv[i], &size);
		if (text == NULL) {
			fprintf(stderr, "%s: %s\n", argv[i], errno_name(errno));
			failed = 1;
		} else {
			fwrite(text, 1, size, stdout);
		}
	}
	fflush(stdout);
	return failed;
}

static int cmd_echo(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		printf("%s%s", argv[i], i + 1 < argc ? " " : "\n");
	fflush(stdout);
	return 0;
}

/* On the bare host, as root, the forbidden things would work: bundles carry a mark. */
static bool is_free(void)
{
	const unsigned long long initial_pid_ns = 4026531836;
	return ns_inode("pid") == initial_pid_ns && access("/.cell", F_OK) < 0;
}

/* rusage FILE COMMAND...: runs it on the host and writes its peak memory in KiB into the file. */
static int cmd_rusage(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	int status = 0;
	struct rusage usage;
	if (child < 0 || wait4(child, &status, 0, &usage) < 0)
		return 126;
	FILE *file = fopen(argv[1], "w");
	if (file == NULL || fprintf(file, "%ld", usage.ru_maxrss) < 0 || fclose(file) != 0)
		return 125;
	if (WIFSIGNALED(status))
		raise(WTERMSIG(status));
	return WEXITSTATUS(status);
}

/* clang-format off */
static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	bool only_in_a_cell;
} commands[] = {
	{ "report", cmd_report, false }, { "paths", cmd_paths, false },
	{ "try", cmd_try, true },        { "tries", cmd_tries, false },
	{ "checks", cmd_checks, true },  { "exit", cmd_exit, false },
	{ "kill", cmd_kill, false },     { "crash", cmd_crash, false },
	{ "sleep", cmd_sleep, false },   { "signals", cmd_signals, false },
	{ "eat", cmd_eat, true },        { "fork", cmd_fork, true },
	{ "orphan", cmd_orphan, true },  { "write", cmd_write, false },
	{ "read", cmd_read, false },     { "echo", cmd_echo, false },
	{ "rusage", cmd_rusage, false }, { "headless", cmd_headless, true },
	{ "stalk", cmd_stalk, true },    { "shoot", cmd_shoot, true },
	{ "swap", cmd_swap, true },      { "notify", cmd_notify, true },
	{ "flood", cmd_flood, true },
};
/* clang-format on */

static int run_one(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		if (!commands[i].only_in_a_cell || !is_free())
			return commands[i].run(argc, argv);
		fprintf(stderr, "prisoner: %s works only inside a container\n", argv[0]);
		return 2;
	}
	fprintf(stderr, "prisoner: no command %s\n", argv[0]);
	return 2;
}

int main(int argc, char **argv)
{
	int status = 2;
	for (int i = 1, next = 0; i < argc; i = next + 1) {
		for (next = i; next < argc && strcmp(argv[next], "+") != 0; next++)
			;
		if (next > i)
			status = run_one(next - i, argv + i);
	}
	return status;
}
