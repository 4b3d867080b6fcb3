/* All findings in one line.  Callers match error texts by substring and would take a refusal for a
 * missing program or a dead container (contract E1-E16, decision 40), so their phrases are broken
 * up wherever a path or name of the config brings one in. */
#include "base/cleanup.h"
#include "policy/harden.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
	REFUSAL_MAX = 2000, /* decision 40; conmon reads at most 8,191 bytes */
	TAIL_MAX = 64,      /* "; and 1000000 more: see donjon run --dry-run" */
	GROUP_MAX = 700,
	VALUES_MAX = 200,
};

/* clang-format off */
static const char *const caller_phrases[] = {
	"permission denied", "operation not permitted", "no such file", "no such process",
	"not found", "is a directory", "not a directory", "does not exist", "not running",
	"already finished", "invalid process", "open executable", "path is empty",
	"cannot find the file", "needs an argument", "requires an argument", "failed to run runc",
};
/* clang-format on */

static void break_phrases(char *text)
{
	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p) || *p == '`')
			*p = '?';
	for (size_t i = 0; i < DJ_COUNT(caller_phrases); i++) {
		size_t len = strlen(caller_phrases[i]);
		char *hit = text;

		while ((hit = strcasestr(hit, caller_phrases[i]))) {
			for (size_t k = 0; k < len; k++)
				if (hit[k] == ' ')
					hit[k] = '_';
			hit += len;
		}
	}
}

/* "ID=a,b,c:REASON" for a group of findings; false if there is none, or if it would be too long
 * to be worth copying. */
static bool join_overrides(const struct policy_finding *first, size_t n, char out[GROUP_MAX])
{
	const struct override_rule *rule = override_rule_find(first->check);
	size_t skip = strlen(first->check) + 1, used;

	if (!rule)
		return false;
	used = (size_t)snprintf(out, GROUP_MAX, "%s=", first->check);
	for (size_t i = 0; i < (rule->is_list ? n : 1); i++) {
		const char *value = first[i].override ? first[i].override + skip : NULL;
		size_t len = value ? strlen(value) - strlen(":REASON") : 0;

		if (!value || used + len > VALUES_MAX)
			return false;
		used += (size_t)snprintf(out + used, GROUP_MAX - used, "%s%.*s", i ? "," : "",
		                         (int)len, value);
	}
	(void)snprintf(out + used, GROUP_MAX - used, ":REASON");
	return true;
}

static void describe_remedy(const struct policy_finding *first, size_t n, char out[GROUP_MAX])
{
	char override[GROUP_MAX];

	if (!first->override) {
		(void)snprintf(out, GROUP_MAX, "(no override; wanted: %.150s)", first->wanted);
		return;
	}
	if (join_overrides(first, n, override))
		(void)snprintf(out, GROUP_MAX, "(override %s)", override);
	else
		(void)snprintf(out, GROUP_MAX, "(overrides: see donjon run --dry-run)");
}

/* One check's findings: "dev.nodes: 102, first /linux/devices/0 asks for /dev/fuse (override ...)".
 */
static void describe_group(const struct policy_finding *first, size_t n, char out[GROUP_MAX])
{
	char count[48] = "", remedy[GROUP_MAX];

	if (n > 1)
		(void)snprintf(count, sizeof(count), "%zu, first ", n);
	describe_remedy(first, n, remedy);
	(void)snprintf(out, GROUP_MAX, "%s: %s%.120s%s%.200s %s", first->check, count,
	               first->pointer ? first->pointer : "", first->pointer ? " " : "",
	               first->found, remedy);
}

static size_t group_size(const struct policy_finding *first, size_t left)
{
	size_t n = 1;

	while (n < left && strcmp(first[n].check, first->check) == 0)
		n++;
	return n;
}

int refusal_fail(const struct policy_result *result, struct donjon_error *err)
{
	char text[REFUSAL_MAX + 1], group[GROUP_MAX];
	size_t used, shown = 0, n = result->findings.n;

	used = (size_t)snprintf(text, sizeof(text), "refused by policy level %s",
	                        policy_level_name(result->in_force));
	while (shown < n) {
		const struct policy_finding *first = &result->findings.v[shown];
		size_t size = group_size(first, n - shown);

		describe_group(first, size, group);
		if (used + strlen(group) + TAIL_MAX > REFUSAL_MAX)
			break;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s",
		                         shown ? ";" : ":", group);
		shown += size;
	}
	if (shown < n)
		(void)snprintf(text + used, sizeof(text) - used,
		               "; and %zu more: see donjon run --dry-run", n - shown);
	break_phrases(text);
	return dj_fail(err, DONJON_E_REFUSED, "%s", text);
}
