#include "base/error.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const code_names[DONJON_E_CODE_COUNT] = {
	[DONJON_OK] = "ok",
	[DONJON_E_USAGE] = "usage",
	[DONJON_E_CONFIG] = "config",
	[DONJON_E_NOT_FOUND] = "not-found",
	[DONJON_E_EXISTS] = "exists",
	[DONJON_E_STATUS] = "status",
	[DONJON_E_REFUSED] = "refused",
	[DONJON_E_UNSUPPORTED] = "unsupported",
	[DONJON_E_SYSTEM] = "system",
	[DONJON_E_EXEC] = "exec",
	[DONJON_E_VERIFY] = "verify",
};

const char *donjon_code_name(enum donjon_code code)
{
	return (unsigned)code < DONJON_E_CODE_COUNT ? code_names[code] : "unknown";
}

const char *dj_errno_text(int os, char buf[static 64])
{
	/* strerror() is thread-safe in musl and, for valid errnos, in glibc >= 2.32. */
	(void)snprintf(buf, 64, "%s", strerror(os));
	if (isupper((unsigned char)buf[0]) && islower((unsigned char)buf[1]))
		buf[0] = (char)tolower((unsigned char)buf[0]);
	return buf;
}

static void fill(struct donjon_error *err, enum donjon_code code, const char *fmt, va_list ap)
{
	assert(err->code == DONJON_OK);
	err->code = code;
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int dj_fail(struct donjon_error *err, enum donjon_code code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, code, fmt, ap);
	va_end(ap);
	return -1;
}

int dj_fail_os(struct donjon_error *err, int os, const char *fmt, ...)
{
	char reason[64];
	va_list ap;
	size_t used;

	va_start(ap, fmt);
	fill(err, DONJON_E_SYSTEM, fmt, ap);
	va_end(ap);
	err->os = os;
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
		       dj_errno_text(os, reason));
	return -1;
}

int dj_note(struct donjon_error *err, const char *fmt, ...)
{
	char note[512];
	size_t len, room;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(note, sizeof(note) - 2, fmt, ap);
	va_end(ap);
	strcat(note, ": ");
	len = strlen(note);
	room = sizeof(err->text) - len;
	memmove(err->text + len, err->text, room);
	err->text[sizeof(err->text) - 1] = '\0';
	memcpy(err->text, note, len);
	return -1;
}

void dj_error_clear(struct donjon_error *err)
{
	*err = (struct donjon_error){ 0 };
}
