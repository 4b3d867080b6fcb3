#include "base/log.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/utc.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
	LINE_MAX_BYTES = 4096, /* conmon reads at most 8191 bytes of stderr (O1) */
	RECORD_MAX_BYTES = 3 * LINE_MAX_BYTES,
};

static struct {
	int fd; /* the log file, or -1 */
	enum donjon_log_format format;
	bool debug;
} sink = { .fd = -1 };

static const char *const level_names[] = {
	[DONJON_LOG_ERROR] = "error",
	[DONJON_LOG_WARNING] = "warning",
	[DONJON_LOG_INFO] = "info",
	[DONJON_LOG_DEBUG] = "debug",
};

/* Appending is all that may happen to a file of that name: no link is followed, nothing is cut off,
 * and opening a FIFO or a terminal neither blocks nor has side effects (T47). */
static int open_file(const char *path, struct donjon_error *err)
{
	const int flags =
	        O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	dj_auto_close int fd = open(path, flags, 0644);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return dj_fail_os(err, errno, "open log file %s", path);
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return dj_fail(err, DONJON_E_USAGE, "open log file %s: not a regular file", path);
	return dj_take_fd(&fd);
}

int donjon_log_open(const struct donjon_log_options *options, struct donjon_error *err)
{
	int fd = -1;

	if (options->file) {
		fd = open_file(options->file, err);
		if (fd < 0)
			return -1;
	}
	dj_close(&sink.fd);
	sink.fd = fd;
	sink.format = options->format;
	sink.debug = options->debug;
	return 0;
}

/* Characters that end a line, move the cursor or turn the text around (B33, T78). */
static bool is_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void log_printable(const char *text, char *out, size_t size)
{
	size_t left = strlen(text), used = 0;

	while (left > 0) {
		char shown[16];
		uint32_t c = 0;
		size_t taken = utf8_decode(text, left, &c);
		int len;

		if (taken == 0)
			len = snprintf(shown, sizeof(shown), "\\x%02x", (unsigned char)text[0]);
		else if (c == '\n' || c == '\t')
			len = snprintf(shown, sizeof(shown), c == '\n' ? "\\n" : "\\t");
		else if (is_hidden(c))
			len = snprintf(shown, sizeof(shown), c < 0x100 ? "\\x%02x" : "\\u%04x", c);
		else
			len = snprintf(shown, sizeof(shown), "%.*s", (int)taken, text);
		if (len < 0 || used + (size_t)len >= size)
			break;
		memcpy(out + used, shown, (size_t)len);
		used += (size_t)len;
		taken = taken > 0 ? taken : 1;
		text += taken;
		left -= taken;
	}
	out[used] = '\0';
}

/* What JSON still wants escaped in a printable line. */
static void quote(const char *line, char *out)
{
	for (; *line; line++) {
		if (*line == '"' || *line == '\\')
			*out++ = '\\';
		*out++ = *line;
	}
	*out = '\0';
}

static void now(char *buf, size_t size)
{
	char seconds[DJ_UTC_SIZE];

	dj_utc(time(NULL), seconds);
	(void)snprintf(buf, size, "%sZ", seconds);
}

/* The members only errors have; callers ignore members they do not know. */
static void error_members(const struct donjon_error *err, char *buf, size_t size)
{
	int len = snprintf(buf, size, ",\"code\":\"%s\"", donjon_code_name(err->code));

	if (err->step[0]) {
		char step[sizeof(err->step) * 6], quoted[2 * sizeof(step)];

		log_printable(err->step, step, sizeof(step));
		quote(step, quoted);
		len += snprintf(buf + len, size - (size_t)len, ",\"step\":\"%s\"", quoted);
	}
	if (err->os)
		(void)snprintf(buf + len, size - (size_t)len, ",\"errno\":%d", err->os);
}

static void write_record(enum donjon_log_level level, const char *line, const char *members)
{
	char record[RECORD_MAX_BYTES], quoted[2 * LINE_MAX_BYTES], time_text[32];

	now(time_text, sizeof(time_text));
	if (sink.format == DONJON_LOG_JSON) {
		quote(line, quoted);
		(void)snprintf(record, sizeof(record),
		               "{\"msg\":\"%s\",\"level\":\"%s\",\"time\":\"%s\"%s}\n", quoted,
		               level_names[level], time_text, members);
	} else {
		(void)snprintf(record, sizeof(record), "%s %s: %s\n", time_text, level_names[level],
		               line);
	}
	/* There is nobody left to tell that a message could not be written. */
	(void)file_write_all(sink.fd, record, strlen(record));
}

static void write_stderr(const char *prefix, const char *line)
{
	char buf[LINE_MAX_BYTES + 64];
	int len = snprintf(buf, sizeof(buf), "donjon: %s%s\n", prefix, line);

	(void)file_write_all(STDERR_FILENO, buf, (size_t)len);
}

void donjon_log_error(const struct donjon_error *err)
{
	char line[LINE_MAX_BYTES], members[512] = "";

	log_printable(err->text, line, sizeof(line));
	error_members(err, members, sizeof(members));
	if (sink.fd >= 0)
		write_record(DONJON_LOG_ERROR, line, members);
	write_stderr("", line);
}

/* Everything below an error waits for --debug: podman reads the file as one record, and the stderr
 * of create and start is the container's log (O4, O5). */
static void log_more(enum donjon_log_level level, const char *fmt, va_list ap)
{
	char text[DONJON_ERROR_TEXT_MAX], line[LINE_MAX_BYTES], prefix[16];

	if (!sink.debug)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	log_printable(text, line, sizeof(line));
	if (sink.fd >= 0) {
		write_record(level, line, "");
		return;
	}
	(void)snprintf(prefix, sizeof(prefix), "%s: ", level_names[level]);
	write_stderr(prefix, line);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_more(DONJON_LOG_DEBUG, fmt, ap);
	va_end(ap);
}

void log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_more(DONJON_LOG_WARNING, fmt, ap);
	va_end(ap);
}
