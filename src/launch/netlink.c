#include "launch/netlink.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int netlink_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	return fd < 0 ? -errno : fd;
}

void netlink_begin(struct netlink_request *request, uint16_t type, uint16_t flags, const void *fixed,
		   size_t size)
{
	memset(request, 0, sizeof(*request));
	request->header = (struct nlmsghdr){
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};
	memcpy(request->body, fixed, size);
}

void netlink_put(struct netlink_request *request, uint16_t attribute, const void *data, size_t size)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
	const struct rtattr head = { .rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = attribute };
	char *to = (char *)request + at;

	assert(at + RTA_SPACE(size) <= sizeof(*request));
	memcpy(to, &head, sizeof(head));
	memcpy(to + RTA_LENGTH(0), data, size);
	request->header.nlmsg_len = (uint32_t)(at + RTA_SPACE(size));
}

const void *netlink_attribute(const struct nlmsghdr *message, size_t fixed, uint16_t attribute,
			      size_t *size)
{
	const char *at = (const char *)message + NLMSG_SPACE(fixed);
	const char *end = (const char *)message + message->nlmsg_len;
	struct rtattr head;

	for (; at + sizeof(head) <= end; at += RTA_ALIGN(head.rta_len)) {
		memcpy(&head, at, sizeof(head));
		if (head.rta_len < sizeof(head) || head.rta_len > (size_t)(end - at))
			return NULL;
		if ((head.rta_type & NLA_TYPE_MASK) != attribute)
			continue;
		*size = head.rta_len - RTA_LENGTH(0);
		return at + RTA_LENGTH(0);
	}
	return NULL;
}

struct answer {
	int (*each)(void *data, const struct nlmsghdr *message);
	void *data;
	int result;
	bool done;
};

static void take(struct answer *answer, const struct nlmsghdr *message)
{
	int error = 0;

	switch (message->nlmsg_type) {
	case NLMSG_ERROR: /* also the acknowledgement, with 0 */
	case NLMSG_DONE:
		if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(error)))
			memcpy(&error, NLMSG_DATA(message), sizeof(error));
		if (answer->result == 0)
			answer->result = error;
		answer->done = true;
		break;
	default:
		if (answer->each && answer->result == 0)
			answer->result = answer->each(answer->data, message);
	}
}

int netlink_ask(int fd, struct netlink_request *request,
		int (*each)(void *data, const struct nlmsghdr *message), void *data)
{
	struct answer answer = { .each = each, .data = data };
	_Alignas(struct nlmsghdr) char buffer[32768]; /* what the kernel's dumps are cut to */

	/* NLM_F_DUMP shares bits with the flags of requests that change something. */
	if ((request->header.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		request->header.nlmsg_flags |= NLM_F_ACK;
	if (send(fd, request, request->header.nlmsg_len, 0) < 0)
		return -errno;
	while (!answer.done) {
		const struct nlmsghdr *message = (const void *)buffer;
		ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		for (uint32_t left = (uint32_t)n; NLMSG_OK(message, left) && !answer.done;
		     message = NLMSG_NEXT(message, left))
			take(&answer, message);
	}
	return answer.result;
}
