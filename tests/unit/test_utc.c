#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utc.h"

/* The C library's, which is right but reads files. */
static void expect_as_libc(time_t seconds)
{
	char ours[DJ_UTC_SIZE], theirs[64];
	struct tm tm;

	assert_non_null(gmtime_r(&seconds, &tm));
	assert_true(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S", &tm) > 0);
	dj_utc(seconds, ours);
	assert_string_equal(ours, theirs);
}

static void knows_every_day_of_a_calendar_cycle(void **state)
{
	(void)state;
	for (time_t day = 0; day < 146097 + 365; day++)
		expect_as_libc(day * 86400 + day % 86400);
}

static void knows_the_years_before_1970(void **state)
{
	(void)state;
	/* From the year 1000 on: strftime pads no shorter ones. */
	for (time_t day = -354285; day < 0; day += 7)
		expect_as_libc(day * 86400 + 1);
	expect_as_libc(-1);
	expect_as_libc(-86400);
}

static void fits_every_time(void **state)
{
	char text[DJ_UTC_SIZE];

	(void)state;
	/* The last that struct tm can hold. */
	dj_utc(INT64_C(67768036191676799), text);
	assert_string_equal(text, "2147485547-12-31T23:59:59");
	dj_utc(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00");
	dj_utc(951782399, text);
	assert_string_equal(text, "2000-02-28T23:59:59");
	dj_utc(951782400, text);
	assert_string_equal(text, "2000-02-29T00:00:00");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_every_day_of_a_calendar_cycle),
		cmocka_unit_test(knows_the_years_before_1970),
		cmocka_unit_test(fits_every_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
