#include "launch/overlay_options.h"

#include "base/cleanup.h"

#include <stdbool.h>
#include <string.h>

static int fail(struct donjon_error *err, const char *what)
{
	return dj_fail(err, DONJON_E_UNSUPPORTED, "its option %.64s is not understood", what);
}

static int add_lower(struct overlay_options *o, const char *path, struct donjon_error *err)
{
	if (!*path || o->n_lower == OVERLAY_LAYERS_MAX)
		return fail(err, "lowerdir");
	o->lower[o->n_lower++] = path;
	return 0;
}

/* overlayfs's own escapes, '\\' before ':' and others, up to an unescaped `stop`; in place. Returns
 * what follows, or NULL at the end. */
static char *take_path(char *text, char stop)
{
	char *to = text;

	for (; *text && *text != stop; text++) {
		if (*text == '\\' && text[1])
			text++;
		*to++ = *text;
	}
	text = *text ? text + 1 : NULL;
	*to = '\0';
	return text;
}

/* "a:b:c".  An empty name is half of "::", which begins layers that only lend their data: those of
 * composefs, whose first layer has no path either. */
static int read_lowerdir(struct overlay_options *o, char *value, struct donjon_error *err)
{
	for (char *rest = value; rest;) {
		const char *path = rest;

		rest = take_path(rest, ':');
		if (add_lower(o, path, err) < 0)
			return -1;
	}
	return 0;
}

/* One layer of the new mount API, as it is: there is nothing to separate, so nothing is escaped. */
static int read_lowerdir_plus(struct overlay_options *o, char *value, struct donjon_error *err)
{
	return add_lower(o, value, err);
}

static int read_upperdir(struct overlay_options *o, char *value, struct donjon_error *err)
{
	(void)take_path(value, '\0');
	o->upper = value;
	return *value ? 0 : fail(err, "upperdir");
}

/* `read` NULL and not kept: it is about writing, or about handles that only writers need. */
static const struct {
	const char *key;
	int (*read)(struct overlay_options *o, char *value, struct donjon_error *err);
	bool is_kept;
} known[] = {
	{ .key = "lowerdir", .read = read_lowerdir },
	{ .key = "lowerdir+", .read = read_lowerdir_plus },
	{ .key = "upperdir", .read = read_upperdir },
	{ .key = "workdir" },
	{ .key = "volatile" },
	{ .key = "fsync" },
	{ .key = "index" },
	{ .key = "nfs_export" },
	{ .key = "uuid" },
	/* Without these, files come out empty, in the wrong place, or with other numbers. */
	{ .key = "metacopy", .is_kept = true },
	{ .key = "redirect_dir", .is_kept = true },
	{ .key = "userxattr", .is_kept = true },
	{ .key = "verity", .is_kept = true },
	{ .key = "xino", .is_kept = true },
	{ .key = "default_permissions", .is_kept = true },
	/* SELinux: how the engine labelled the mount. */
	{ .key = "context", .is_kept = true },
	{ .key = "fscontext", .is_kept = true },
	{ .key = "defcontext", .is_kept = true },
	{ .key = "rootcontext", .is_kept = true },
	{ .key = "seclabel" },
	/* Of any file system. */
	{ .key = "rw" },
	{ .key = "ro" },
	{ .key = "sync" },
	{ .key = "dirsync" },
	{ .key = "mand" },
	{ .key = "lazytime" },
};

static int keep(struct overlay_options *o, const char *key, char *value, struct donjon_error *err)
{
	size_t len = value ? strlen(value) : 0;

	if (o->n_kept == DJ_COUNT(o->kept))
		return fail(err, key);
	/* Quoted for the comma in it. */
	if (len > 1 && value[0] == '"' && value[len - 1] == '"') {
		value[len - 1] = '\0';
		value++;
	}
	o->kept[o->n_kept++] = (struct overlay_option){ key, value };
	return 0;
}

static int read_option(struct overlay_options *o, const char *key, char *value,
                       struct donjon_error *err)
{
	for (size_t i = 0; i < DJ_COUNT(known); i++) {
		if (strcmp(key, known[i].key) != 0)
			continue;
		if (known[i].is_kept)
			return keep(o, key, value, err);
		if (!known[i].read)
			return 0;
		return value ? known[i].read(o, value, err) : fail(err, key);
	}
	return fail(err, key);
}

/* The kernel prints "\054" for a comma; in place. */
static void undo_octal(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
		    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
			               (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* Cuts the next option off; commas of a value in quotes belong to it. */
static char *next_option(char **rest)
{
	char *option = *rest, *end = option;

	for (bool quoted = false; *end && (quoted || *end != ','); end++)
		if (*end == '"')
			quoted = !quoted && end > option && end[-1] == '=';
	*rest = *end ? end + 1 : NULL;
	*end = '\0';
	return option;
}

int overlay_options_read(const char *options, struct dj_arena *arena, struct overlay_options *out,
                         struct donjon_error *err)
{
	*out = (struct overlay_options){ .upper = NULL };
	for (char *rest = dj_arena_strdup(arena, options); rest;) {
		char *option = next_option(&rest), *value = strchr(option, '=');

		if (value) {
			*value++ = '\0';
			undo_octal(value);
		}
		if (read_option(out, option, value, err) < 0)
			return -1;
	}
	if (out->n_lower == 0)
		return fail(err, "lowerdir");
	return 0;
}
