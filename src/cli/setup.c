#include "cli/setup.h"

#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CONTAINERD_CONFIG "/etc/containerd/config.toml"
#define DOCKER_CONFIG     "/etc/docker/daemon.json"
enum { CONFIG_MAX = 1 << 20 };

static bool is_at_least(struct setup_version version, int major, int minor)
{
	return version.major > major || (version.major == major && version.minor >= minor);
}

static void print_heading(FILE *out, struct setup_version version, const char *name, const char *program)
{
	(void)fprintf(out, "# donjon for %s %d.%d", name, version.major, version.minor);
	if (!version.found)
		(void)fprintf(out, " and newer; found no %s here to ask for its version", program);
	(void)fputc('\n', out);
}

/* ---- podman ---- */

/* Lists replace those of other files until podman 4.8, so its own runtimes are named, too (Z15). */
static void print_podman_list(FILE *out, struct setup_version version, const char *key, const char *theirs)
{
	if (is_at_least(version, 4, 8))
		(void)fprintf(out, "%s = [\"donjon\", \"donjon-none\", {append=true}]\n", key);
	else
		(void)fprintf(out, "%s = [%s, \"donjon\", \"donjon-none\"]\n", key, theirs);
}

static void print_podman(FILE *out, struct setup_version version, const char *runtime, const char *plain)
{
	print_heading(out, version, "podman", "podman");
	(void)fputs("# podman --runtime donjon run ...\n[engine]\n", out);
	print_podman_list(out, version, "runtime_supports_json",
	                  "\"crun\", \"runc\", \"kata\", \"runsc\", \"youki\", \"krun\"");
	print_podman_list(out, version, "runtime_supports_nocgroups", "\"crun\", \"krun\"");
	(void)fprintf(out,
	              "\n# For all containers: runtime = \"donjon\"\n[engine.runtimes]\n"
	              "donjon = [\"%s\"]\n# Exactly what the configuration says:\ndonjon-none = [\"%s\"]\n",
	              runtime, plain);
}

/* ---- containerd ---- */

static const char *cri_plugin(struct setup_version version)
{
	return version.major >= 2 ? "io.containerd.cri.v1.runtime" : "io.containerd.grpc.v1.cri";
}

static void print_containerd_runtime(FILE *out, const char *plugin, const char *name, const char *path)
{
	(void)fprintf(out,
	              "\n[plugins.\"%s\".containerd.runtimes.%s]\n"
	              "  runtime_type = \"io.containerd.runc.v2\"\n"
	              "  [plugins.\"%s\".containerd.runtimes.%s.options]\n"
	              "    BinaryName = \"%s\"\n"
	              "    # Where the kubelet's cgroupDriver is systemd:\n"
	              "    # SystemdCgroup = true\n",
	              plugin, name, plugin, name, path);
}

static void print_containerd(FILE *out, struct setup_version version, const char *runtime, const char *plain)
{
	const char *plugin = cri_plugin(version);

	print_heading(out, version, "containerd", "containerd");
	(void)fprintf(out, "# It needs in " CONTAINERD_CONFIG ":\n"
	              "#   imports = [\"/etc/containerd/conf.d/*.toml\"]\nversion = %d\n",
	              version.major >= 2 ? 3 : 2);
	print_containerd_runtime(out, plugin, "donjon", runtime);
	print_containerd_runtime(out, plugin, "donjon-none", plain);
}

static char *read_config(const char *path)
{
	char *text = calloc(1, CONFIG_MAX);
	FILE *file = text ? fopen(path, "re") : NULL;

	if (!file) {
		free(text);
		return NULL;
	}
	text[fread(text, 1, CONFIG_MAX - 1, file)] = '\0';
	(void)fclose(file);
	return text;
}

/* containerd takes a plugin's whole section from the last file that has one (seen with 1.6.20): a
 * drop-in would silently throw away what the administrator wrote into it. */
static int may_write_containerd(struct setup_version version, struct donjon_error *err)
{
	const char *plugin = cri_plugin(version);
	char *text = read_config(CONTAINERD_CONFIG);
	int r = 0;

	if (!text || !strstr(text, "conf.d/"))
		r = cli_fail(err, DONJON_E_UNSUPPORTED,
		             CONTAINERD_CONFIG " imports no drop-ins: add imports = "
		             "[\"/etc/containerd/conf.d/*.toml\"], or put what setup prints into it");
	else if (strstr(text, plugin))
		r = cli_fail(err, DONJON_E_UNSUPPORTED,
		             CONTAINERD_CONFIG " has a section %s, which a drop-in would replace: put what "
		             "setup prints into it", plugin);
	free(text);
	return r;
}

/* ---- Docker ---- */

static void print_docker(FILE *out, struct setup_version version, const char *runtime, const char *plain)
{
	(void)version;
	(void)fprintf(out,
	              "{\n  \"runtimes\": {\n    \"donjon\": { \"path\": \"%s\" },\n"
	              "    \"donjon-none\": { \"path\": \"%s\" }\n  }\n}\n",
	              runtime, plain);
}

/* One file and no directory of drop-ins. */
static int may_write_docker(struct setup_version version, struct donjon_error *err)
{
	struct stat st;

	(void)version;
	if (lstat(DOCKER_CONFIG, &st) == 0)
		return cli_fail(err, DONJON_E_UNSUPPORTED,
		                DOCKER_CONFIG " is there: add what setup prints to its \"runtimes\"");
	return 0;
}

/* ---- CRI-O ---- */

static void print_crio_runtime(FILE *out, const char *name, const char *path)
{
	(void)fprintf(out,
	              "\n[crio.runtime.runtimes.%s]\nruntime_path = \"%s\"\nruntime_type = \"oci\"\n"
	              "runtime_root = \"/run/donjon\"\n",
	              name, path);
}

static void print_crio(FILE *out, struct setup_version version, const char *runtime, const char *plain)
{
	print_heading(out, version, "CRI-O", "crio");
	print_crio_runtime(out, "donjon", runtime);
	print_crio_runtime(out, "donjon-none", plain);
}

/* ---- Kubernetes ---- */

static void print_kubernetes(FILE *out, struct setup_version version, const char *runtime, const char *plain)
{
	(void)version, (void)runtime, (void)plain;
	(void)fputs("# The node's engine must know the handler: donjon setup containerd, or crio.\n"
	            "# A pod asks for it with  spec.runtimeClassName: donjon\n"
	            "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata:\n  name: donjon\n"
	            "handler: donjon\n",
	            out);
}

/* clang-format off */
const struct setup_engine setup_engines[] = {
	{ "podman", "podman", "/etc/containers/containers.conf.d/50-donjon.conf",
	  "containers/containers.conf.d/50-donjon.conf", { .major = 4, .minor = 8 }, print_podman, NULL, setup_check_podman },
	{ "containerd", "containerd", "/etc/containerd/conf.d/donjon.toml", NULL, { .major = 2 },
	  print_containerd, may_write_containerd, setup_check_containerd },
	{ "docker", "dockerd", DOCKER_CONFIG, NULL, { .major = 28 }, print_docker, may_write_docker,
	  setup_check_docker },
	{ "crio", "crio", "/etc/crio/crio.conf.d/50-donjon.conf", NULL, { .major = 1, .minor = 18 },
	  print_crio, NULL, NULL },
	{ "kubernetes", NULL, NULL, NULL, { 0 }, print_kubernetes, NULL, NULL },
	{ NULL, NULL, NULL, NULL, { 0 }, NULL, NULL, NULL },
};
/* clang-format on */
