/* Scope attributes for what a function owns, and the two helpers that give it away. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void dj_cleanup_free(void *p)
{
	free(*(void **)p);
}

/* Closing never changes errno: a cleanup must not hide the failure that caused it. */
static inline void dj_cleanup_close(const int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

#define dj_auto_free __attribute__((cleanup(dj_cleanup_free)))
#define dj_auto_close __attribute__((cleanup(dj_cleanup_close)))

/* Give away: the variable no longer owns it. */
static inline int dj_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *dj_take_ptr(void *slot)
{
	void *taken = *(void **)slot;

	*(void **)slot = NULL;
	return taken;
}
#define dj_take(p) ((__typeof__(p))dj_take_ptr(&(p)))

/* Closes and forgets a descriptor held in a longer-lived place. */
static inline void dj_close(int *fd)
{
	dj_cleanup_close(fd);
	*fd = -1;
}

#define DJ_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
