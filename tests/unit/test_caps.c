#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wrap/caps.h"

#include <linux/capability.h>

static void knows_names(void **state)
{
	static const struct {
		const char *name;
		int want;
	} rows[] = {
		{ "CAP_CHOWN", CAP_CHOWN },
		{ "CHOWN", CAP_CHOWN },
		{ "CAP_SYS_ADMIN", CAP_SYS_ADMIN },
		{ "CAP_CHECKPOINT_RESTORE", CAP_CHECKPOINT_RESTORE },
		{ "BPF", CAP_BPF },
		{ "cap_chown", -1 },
		{ "Cap_Chown", -1 },
		{ "CAP_chown", -1 },
		{ "CAP_CAP_CHOWN", -1 },
		{ "CAP_", -1 },
		{ "", -1 },
		{ "CAP_CHOWN ", -1 },
		{ " CAP_CHOWN", -1 },
		{ "0", -1 },
		{ "CAP_0", -1 },
		{ "CAP_41", -1 },
		{ "ALL", -1 },
		{ "CAP_THIS_NAME_IS_LONGER_THAN_ANY_BUFFER_FOR_IT", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (caps_number(rows[i].name) != rows[i].want)
			fail_msg("%s: %d", rows[i].name, caps_number(rows[i].name));
}

static void names_lead_back_to_numbers(void **state)
{
	(void)state;
	assert_true(caps_last() >= CAP_CHECKPOINT_RESTORE);
	for (int i = 0; i <= caps_last(); i++)
		assert_int_equal(caps_number(caps_name(i)), i);
	assert_string_equal(caps_name(CAP_NET_ADMIN), "CAP_NET_ADMIN");
	assert_ptr_equal(caps_name(0), caps_name(0));
	assert_null(caps_name(-1));
	assert_null(caps_name(caps_last() + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_names),
		cmocka_unit_test(names_lead_back_to_numbers),
	};

	return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
