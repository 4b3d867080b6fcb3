/* A container through each engine.  Whatever it makes for that is gone afterwards. */
#include "cli/options.h"
#include "cli/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NAME_SIZE = 64 };

static char *read_all(int fd)
{
	char *text = NULL, buffer[4096];
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	ssize_t n;

	while (out && (n = read(fd, buffer, sizeof(buffer))) > 0)
		(void)fwrite(buffer, 1, (size_t)n, out);
	if (out)
		(void)fclose(out);
	return text;
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int setup_run(const char *const *argv, char **output, struct donjon_error *err)
{
	posix_spawn_file_actions_t actions;
	int pipe_fds[2] = { -1, -1 }, r;
	pid_t pid = -1;

	if (output && pipe2(pipe_fds, O_CLOEXEC) < 0)
		return cli_fail(err, DONJON_E_SYSTEM, "make a pipe: %s", cli_reason(errno));
	(void)posix_spawn_file_actions_init(&actions);
	if (output)
		(void)posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], STDOUT_FILENO);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (output) {
		(void)close(pipe_fds[1]);
		*output = r == 0 ? read_all(pipe_fds[0]) : NULL;
		(void)close(pipe_fds[0]);
	}
	if (r != 0)
		return cli_fail(err, DONJON_E_SYSTEM, "run %s: %s", argv[0], cli_reason(r));
	return wait_for(pid);
}

static void name_of(char name[NAME_SIZE])
{
	(void)snprintf(name, NAME_SIZE, "donjon-check-%d", (int)getpid());
}

/* The directory the probe is in is a whole root filesystem. */
static void root_of(const char *probe, char root[PATH_MAX])
{
	(void)snprintf(root, PATH_MAX, "%.*s", (int)(strrchr(probe, '/') - probe), probe);
}

int setup_check_podman(const char *runtime, const char *probe, struct donjon_error *err)
{
	char root[PATH_MAX];
	const char *argv[] = { "podman", "--runtime", runtime, "run", "--rm", "--network", "none",
	                       "--rootfs", root, "/probe", NULL };

	root_of(probe, root);
	return setup_run(argv, NULL, err);
}

int setup_check_containerd(const char *runtime, const char *probe, struct donjon_error *err)
{
	char root[PATH_MAX], name[NAME_SIZE];
	const char *argv[] = { "ctr", "run", "--rm", "--runc-binary", runtime,
	                       "--rootfs", root, name, "/probe", NULL };

	root_of(probe, root);
	name_of(name);
	return setup_run(argv, NULL, err);
}

/* Docker runs images only. */
int setup_check_docker(const char *runtime, const char *probe, struct donjon_error *err)
{
	char root[PATH_MAX], name[NAME_SIZE], command[PATH_MAX + NAME_SIZE];
	const char *import[] = { "sh", "-c", command, NULL };
	const char *run[] = { "docker", "run", "--rm", "--network", "none", "--runtime",
	                      strstr(runtime, "donjon-none") ? "donjon-none" : "donjon", name, "/probe", NULL };
	const char *drop[] = { "docker", "rmi", "-f", name, NULL };
	char *output = NULL;
	int status;

	root_of(probe, root);
	name_of(name);
	(void)snprintf(command, sizeof(command), "tar -C '%s' -c probe | docker import - %s", root, name);
	status = setup_run(import, &output, err);
	free(output);
	if (status != 0)
		return status < 0 ? -1 : cli_fail(err, DONJON_E_SYSTEM, "docker import failed");
	status = setup_run(run, NULL, err);
	if (setup_run(drop, &output, err) == 0)
		free(output);
	return status;
}
