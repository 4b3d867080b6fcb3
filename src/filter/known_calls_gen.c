/*
 * Run by the build: prints known_calls.h, the calls libseccomp knows of the ABIs that the host machine
 * runs, with what it answers for each, and with their rows in our own tables.  Profiles name hundreds;
 * looked up there a name costs one search for all ABIs and tables, where libseccomp compares it with forty
 * others on each.
 *
 * usage: known_calls_gen CPU_FAMILY
 */
#include "filter/syscall_table.h"

#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ABIS_MAX = 3, NUMBERS_MAX = 1024, NAMES_MAX = 2048, NAME_SIZE = 32 };
#define X32_BIT 0x40000000

static const struct {
	const char *cpu_family;
	struct {
		const char *constant; /* in the sources */
		uint32_t arch;
	} abis[ABIS_MAX];
} families[] = {
	{ "x86_64",
	  { { "AUDIT_ARCH_X86_64", SCMP_ARCH_X86_64 },
	    { "AUDIT_ARCH_I386", SCMP_ARCH_X86 },
	    { "OCI_ARCH_X32", SCMP_ARCH_X32 } } },
	{ "aarch64", { { "AUDIT_ARCH_AARCH64", SCMP_ARCH_AARCH64 }, { "AUDIT_ARCH_ARM", SCMP_ARCH_ARM } } },
};

static char names[NAMES_MAX][NAME_SIZE];
static size_t n_names;

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void add(const char *name)
{
	for (size_t i = 0; i < n_names; i++)
		if (strcmp(names[i], name) == 0)
			return;
	if (n_names == NAMES_MAX || strlen(name) >= NAME_SIZE)
		exit(1);
	(void)strcpy(names[n_names++], name);
}

static void collect(uint32_t arch)
{
	for (int number = 0; number < NUMBERS_MAX; number++) {
		char *name = seccomp_syscall_resolve_num_arch(
		        arch, arch == SCMP_ARCH_X32 ? number | X32_BIT : number);

		if (name)
			add(name);
		free(name);
	}
}

/* Row plus one, 0: none. */
static size_t row_in_new_calls(const char *name)
{
	size_t i = sizeof(new_calls) / sizeof(new_calls[0]);

	while (i > 0 && strcmp(new_calls[i - 1].name, name) != 0)
		i--;
	return i;
}

static size_t row_in_multiplexed(const char *name)
{
	size_t i = sizeof(multiplexed) / sizeof(multiplexed[0]);

	while (i > 0 && strcmp(multiplexed[i - 1].name, name) != 0)
		i--;
	return i;
}

static void print_family(size_t family)
{
	printf("static const uint32_t known_abis[] = {");
	for (size_t i = 0; i < ABIS_MAX && families[family].abis[i].constant; i++) {
		collect(families[family].abis[i].arch);
		printf(" %s,", families[family].abis[i].constant);
	}
	printf(" };\n\nstatic const struct known_call known_calls[] = {\n");
	qsort(names, n_names, sizeof(names[0]), compare);
	for (size_t i = 0; i < n_names; i++) {
		printf("\t{ \"%s\", {", names[i]);
		for (size_t j = 0; j < ABIS_MAX && families[family].abis[j].constant; j++)
			printf(" %d,", seccomp_syscall_resolve_name_arch(families[family].abis[j].arch, names[i]));
		printf(" }, %zu, %zu },\n", row_in_new_calls(names[i]), row_in_multiplexed(names[i]));
	}
	printf("};\n");
}

int main(int argc, char **argv)
{
	printf("#include \"oci/spec.h\"\n\n#include <linux/audit.h>\n\n");
	printf("struct known_call {\n\tchar name[%d];\n\tint numbers[%d];\n"
	       "\tunsigned char added, shared; /* rows of new_calls and of multiplexed, plus one */\n};\n\n",
	       NAME_SIZE, ABIS_MAX);
	for (size_t i = 0; argc == 2 && i < sizeof(families) / sizeof(families[0]); i++)
		if (strcmp(argv[1], families[i].cpu_family) == 0) {
			print_family(i);
			return 0;
		}
	/* Every name is asked of libseccomp then. */
	printf("static const uint32_t known_abis[1];\nstatic const struct known_call known_calls[1];\n");
	return argc == 2 ? 0 : 2;
}
