/* `intel_rdt` of the document that `events` prints, with the members runc has (contract N8). */
#include "base/cleanup.h"
#include "base/path.h"
#include "cgroup/inside.h"
#include "cgroup/resctrl.h"
#include "wrap/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The first line of each kind: with code and data apart a cache has two. */
static void set_schemata(struct json_value *object, int root, const char *group, const char *cache,
                         const char *bandwidth)
{
	char text[RESCTRL_SCHEMATA_MAX];
	struct donjon_error gone = { 0 };

	if (resctrl_read(root, group, text, &gone) < 0)
		return;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		const char *member = NULL;

		line += strspn(line, " \t");
		if (strncmp(line, "L3", 2) == 0)
			member = cache;
		else if (strncmp(line, "MB:", 3) == 0)
			member = bandwidth;
		if (member && !json_get(object, member))
			json_set(object, member, json_new_string(line));
	}
}

struct info {
	const char *file;
	bool is_text;
};

static void set_info(struct json_value *object, const char *member, int root, const char *dir,
                     const struct info *files, size_t n)
{
	struct json_value *info = json_new_object();
	char path[64], text[64];

	for (size_t i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "info/%s/%s", dir, files[i].file);
		if (cgroup_read(root, path, text, sizeof(text)) > 0)
			json_set(info, files[i].file,
			         files[i].is_text ? json_new_string(text)
			                          : json_new_uint(strtoull(text, NULL, 10)));
	}
	if (json_size(info) > 0)
		json_set(object, member, info);
	else
		json_free(info);
}

/* ---- what monitoring says ---- */

static int is_cache(const struct dirent *entry)
{
	return strncmp(entry->d_name, "mon_L3_", strlen("mon_L3_")) == 0;
}

/* One object for each cache, in the order of their numbers. */
static void set_monitored(struct json_value *object, const char *member, int monitor,
                          const char *const *files, size_t n_files)
{
	struct json_value *caches = json_new_array();
	struct dirent **entries = NULL;
	int n = scandirat(monitor, "mon_data", &entries, is_cache, alphasort);
	char path[sizeof("mon_data//mbm_total_bytes") + NAME_MAX];
	uint64_t value;

	for (int i = 0; i < n; i++) {
		struct json_value *cache = json_new_object();

		for (size_t j = 0; j < n_files; j++) {
			(void)snprintf(path, sizeof(path), "mon_data/%s/%s", entries[i]->d_name,
			               files[j]);
			if (cgroup_read_number(monitor, path, &value))
				json_set(cache, files[j], json_new_uint(value));
		}
		json_push(caches, cache);
		free(entries[i]);
	}
	free(entries);
	if (json_size(caches) > 0)
		json_set(object, member, caches);
	else
		json_free(caches);
}

struct json_value *resctrl_stats(int root, const struct resctrl_place *place)
{
	static const struct info cache[] = { { "cbm_mask", true },
		                             { "min_cbm_bits", false },
		                             { "num_closids", false } };
	static const struct info bandwidth[] = { { "bandwidth_gran", false },
		                                 { "delay_linear", false },
		                                 { "min_bandwidth", false },
		                                 { "num_closids", false } };
	static const char *const occupancy[] = { "llc_occupancy" };
	static const char *const bytes[] = { "mbm_total_bytes", "mbm_local_bytes" };
	struct json_value *object = json_new_object();
	dj_auto_close int monitor = resctrl_open_data(root, place);

	set_info(object, "l3_cache_info", root, "L3", cache, DJ_COUNT(cache));
	set_info(object, "mem_bw_info", root, "MB", bandwidth, DJ_COUNT(bandwidth));
	set_schemata(object, root, "/", "l3_cache_schema_root", "mem_bw_schema_root");
	set_schemata(object, root, place->group, "l3_cache_schema", "mem_bw_schema");
	set_monitored(object, "cmt_stats", monitor, occupancy, DJ_COUNT(occupancy));
	set_monitored(object, "mbm_stats", monitor, bytes, DJ_COUNT(bytes));
	return object;
}
