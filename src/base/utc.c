#include "base/utc.h"

#include <inttypes.h>
#include <stdio.h>

enum {
	DAY = 24 * 60 * 60,
	DAYS_OF_ERA = 400 * 365 + 97, /* the calendar repeats every 400 years */
	EPOCH = 719468,               /* days from 0000-03-01 to 1970-01-01 */
};

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Years that begin in March end with the leap day, so a day's number in its year tells the month. */
void dj_utc(time_t seconds, char out[static DJ_UTC_SIZE])
{
	const int64_t days = floor_div(seconds, DAY) + EPOCH, era = floor_div(days, DAYS_OF_ERA);
	const int second = (int)(seconds - floor_div(seconds, DAY) * DAY);
	const int day_of_era = (int)(days - era * DAYS_OF_ERA);
	const int year_of_era =
	        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int from_march = (5 * day_of_year + 2) / 153;
	const int month = from_march < 10 ? from_march + 3 : from_march - 9;

	(void)snprintf(out, DJ_UTC_SIZE, "%04" PRId64 "-%02d-%02dT%02d:%02d:%02d",
	               era * 400 + year_of_era + (month <= 2), month,
	               day_of_year - (153 * from_march + 2) / 5 + 1, second / 3600, second / 60 % 60,
	               second % 60);
}
