/*
 * What this build supports, and configurations to start from.
 *
 *     cc features.c $(pkg-config --cflags --libs donjon) -o features
 *     ./features features|spec|hardened-spec
 */
#include <donjon/donjon.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	const struct donjon_log_options log = { .format = DONJON_LOG_TEXT };
	const char *what = argc > 1 ? argv[1] : "features";
	struct donjon_error err = { 0 };
	char *json;
	int r;

	if (donjon_log_open(&log, &err) < 0)
		return 1;
	if (strcmp(what, "features") == 0)
		r = donjon_features_json(&json, &err);
	else
		r = donjon_spec_json(false, strcmp(what, "hardened-spec") == 0, &json, &err);
	if (r < 0) {
		donjon_log_error(&err);
		return 1;
	}
	printf("%s\n", json);
	donjon_free(json);
	fprintf(stderr, "donjon %s, commit %s\n", donjon_version(), donjon_commit());
	return 0;
}
