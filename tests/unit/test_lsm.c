/* What holds on every host; confinement itself is proved in the lab. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wrap/lsm.h"

#include <string.h>
#include <unistd.h>

static void an_absent_lsm_is_off(void **state)
{
	(void)state;
	if (access("/sys/module/apparmor", F_OK) < 0)
		assert_false(apparmor_is_on());
	if (access("/sys/fs/selinux", F_OK) < 0)
		assert_false(selinux_is_on());
}

static void unknown_names_are_refused(void **state)
{
	struct donjon_error apparmor = { 0 }, selinux = { 0 };

	(void)state;
	assert_int_equal(apparmor_check_profile("no-such-profile", &apparmor), -1);
	assert_int_not_equal(apparmor.code, DONJON_OK);
	assert_int_equal(selinux_check_label("no such label", &selinux), -1);
	assert_int_not_equal(selinux.code, DONJON_OK);
}

static void unconfined_is_always_loaded(void **state)
{
	struct donjon_error err = { 0 };

	(void)state;
	assert_int_equal(apparmor_check_profile("unconfined", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_absent_lsm_is_off),
		cmocka_unit_test(unknown_names_are_refused),
		cmocka_unit_test(unconfined_is_always_loaded),
	};

	return cmocka_run_group_tests_name("lsm", tests, NULL, NULL);
}
