/* Just enough rtnetlink to move a network device: one request at a time, each acknowledged. */
#ifndef LAUNCH_NETLINK_H
#define LAUNCH_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

struct netlink_request {
	struct nlmsghdr header;
	char body[1024];
};

/* A socket of the calling thread's network namespace; -errno. */
int netlink_open(void);

/* Starts a request with a fixed header of `size` bytes (struct ifinfomsg, struct ifaddrmsg). */
void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *fixed,
		   size_t size);
/* The attributes of donjon's requests are few and small: they fit, or it is a bug. */
void netlink_put(struct netlink_request *request, uint16_t attribute, const void *data, size_t size);

/* Sends it and waits for the answer: 0 or -errno.  `each`, if not NULL, gets every message before the
 * acknowledgement; a negative value from it is returned once the answer has been read to its end. */
int netlink_ask(int fd, struct netlink_request *request,
		int (*each)(void *data, const struct nlmsghdr *message), void *data);

/* The payload of an attribute of a message whose fixed header has `fixed` bytes; NULL: not there. */
const void *netlink_attribute(const struct nlmsghdr *message, size_t fixed, uint16_t attribute,
			      size_t *size);

#endif
