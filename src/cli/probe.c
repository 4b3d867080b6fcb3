/* What `donjon setup --check` runs in a container: says what is in force there, as the kernel has it.
 * Static and alone, so that its root filesystem needs nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { TEXT_MAX = 65536 };

static const char *read_file(const char *path)
{
	static char text[TEXT_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		(void)close(fd);
	return text;
}

static void print_field(const char *label, const char *name)
{
	const char *text = read_file("/proc/self/status"), *at = strstr(text, name);

	if (!at)
		return;
	at += strlen(name);
	at += strspn(at, " \t");
	printf("%-14s %.*s\n", label, (int)strcspn(at, "\n"), at);
}

/* The line of /proc/self/mountinfo whose fifth field is the place: options of the mount. */
static void print_mount(const char *label, const char *place)
{
	char line_place[256], options[256];
	const char *text = read_file("/proc/self/mountinfo"), *shown = NULL;
	static char last[256];

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
		if (sscanf(line, "%*s %*s %*s %*s %255s %255s", line_place, options) == 2 &&
		    strcmp(line_place, place) == 0) {
			(void)snprintf(last, sizeof(last), "%s", options);
			shown = last;
		}
	printf("%-14s %s\n", label, shown ? shown : "not a mount");
}

static void print_try(const char *label, int result)
{
	printf("%-14s %s\n", label, result == 0 ? "WORKS" : strerror(errno));
}

int main(void)
{
	const char *map;

	printf("%-14s %u:%u\n", "user", (unsigned)getuid(), (unsigned)getgid());
	map = read_file("/proc/self/uid_map");
	printf("%-14s %.*s\n", "uid map", (int)strcspn(map, "\n"), map);
	print_field("bounding caps", "CapBnd:");
	print_field("effective caps", "CapEff:");
	print_field("no_new_privs", "NoNewPrivs:");
	print_field("seccomp mode", "Seccomp:");
	print_field("filters", "Seccomp_filters:");
	print_mount("root", "/");
	print_mount("/tmp", "/tmp");
	print_try("user namespace", unshare(CLONE_NEWUSER));
	print_try("mount", mount("none", "/proc", "tmpfs", 0, NULL));
	return fflush(stdout) == 0 ? 0 : 1;
}
