#include "engine/lsm.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/apparmor_profile.h"
#include "launch/hooks.h"
#include "wrap/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const char parser[] = "/sbin/apparmor_parser";
static const char installed[] = DONJON_APPARMOR_FILE;

enum { PROFILE_MAX_BYTES = 1 << 20, PARSER_TIMEOUT_S = 30 };

/* As the administrator has it; where it is not installed, as it was built in. */
static char *read_profile(struct donjon_error *err)
{
	dj_auto_close int fd = open(installed, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char *text = NULL;
	size_t size;

	if (fd < 0 && errno == ENOENT)
		return strdup(apparmor_profile);
	if (fd < 0)
		(void)dj_fail_os(err, errno, "open %s", installed);
	else
		(void)file_read_regular(fd, PROFILE_MAX_BYTES, installed, &text, &size, err);
	return text;
}

/* The parser compiles what it reads from stdin; nothing of the caller's environment reaches it. */
static int load_profile(struct donjon_error *err)
{
	char *const argv[] = { (char[]){ "apparmor_parser" }, (char[]){ "--replace" }, NULL };
	char *const envp[] = { NULL };
	dj_auto_free char *text = read_profile(err);
	dj_auto_close int program = text ? hook_open(parser, err) : -1;

	if (program < 0)
		return -1;
	return hook_execute(program, parser, argv, envp, "/", PARSER_TIMEOUT_S, text, err);
}

static bool uses_own_profile(const struct draft *draft)
{
	const char *profile = draft->spec.process.apparmor_profile;

	return draft->policy.settings.builtin_lsm && draft->host.apparmor && profile &&
	       strcmp(profile, POLICY_APPARMOR_PROFILE) == 0;
}

int lsm_prepare(const struct draft *draft, struct donjon_error *err)
{
	bool may_load = draft->host.euid == 0 && draft->host.initial_userns;
	struct donjon_error why = { 0 };

	if (!uses_own_profile(draft))
		return 0;
	if (apparmor_check_profile(POLICY_APPARMOR_PROFILE, err) == 0)
		return 0;
	if (err->code != DONJON_E_CONFIG)
		return -1; /* AppArmor could not be asked */
	dj_error_clear(err);
	if (may_load && load_profile(&why) == 0)
		return 0;
	if (may_load)
		log_debug("load apparmor profile: %s", why.text);
	return dj_fail(err, DONJON_E_REFUSED,
	               "apparmor profile \"%s\" is not loaded: run %s --replace %s",
	               POLICY_APPARMOR_PROFILE, parser, installed);
}
