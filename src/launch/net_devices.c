/*
 * linux.netDevices (P47): network devices of the host move into the container's network namespace with
 * their global permanent addresses and are set up there.  The last row before the container may be
 * released: a device that is in the namespace when it dies is gone with it unless it is hardware, so
 * nothing that can go wrong before is tried with devices inside, and what fails here goes back.
 */
#include "launch/outside.h"

#include "base/cleanup.h"
#include "launch/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ADDRESSES_MAX = 64, ADDRESS_SIZE = 16 };

struct address {
	struct ifaddrmsg head;
	size_t local_size, peer_size, broadcast_size; /* 0: none */
	char local[ADDRESS_SIZE], peer[ADDRESS_SIZE], broadcast[ADDRESS_SIZE];
};

struct device {
	int index; /* on the host */
	bool up;
	char name[IF_NAMESIZE]; /* its first: it may have been asked for by another */
	size_t n_addresses;
	struct address addresses[ADDRESSES_MAX];
};

/* One network namespace: its descriptor, and a socket made in it. */
struct side {
	int ns, netlink;
};

static size_t copy_address(const struct nlmsghdr *message, uint16_t attribute, char *to)
{
	size_t size = 0;
	const void *data = netlink_attribute(message, sizeof(struct ifaddrmsg), attribute, &size);

	if (!data || size > ADDRESS_SIZE)
		return 0;
	memcpy(to, data, size);
	return size;
}

static bool is_kept(const struct nlmsghdr *message, const struct ifaddrmsg *head, int index)
{
	uint32_t flags = head->ifa_flags;
	size_t size = 0;
	const void *wide = netlink_attribute(message, sizeof(*head), IFA_FLAGS, &size);

	if (wide && size == sizeof(flags))
		memcpy(&flags, wide, sizeof(flags));
	return (int)head->ifa_index == index && head->ifa_scope == RT_SCOPE_UNIVERSE &&
	       (flags & IFA_F_PERMANENT);
}

static int add_address(void *data, const struct nlmsghdr *message)
{
	struct device *device = data;
	struct address *address;
	struct ifaddrmsg head;

	if (message->nlmsg_type != RTM_NEWADDR || message->nlmsg_len < NLMSG_LENGTH(sizeof(head)))
		return 0;
	memcpy(&head, NLMSG_DATA(message), sizeof(head));
	if (!is_kept(message, &head, device->index))
		return 0;
	if (device->n_addresses == ADDRESSES_MAX)
		return -E2BIG;
	address = &device->addresses[device->n_addresses++];
	*address = (struct address){ .head = head };
	address->local_size = copy_address(message, IFA_LOCAL, address->local);
	address->peer_size = copy_address(message, IFA_ADDRESS, address->peer);
	address->broadcast_size = copy_address(message, IFA_BROADCAST, address->broadcast);
	return 0;
}

static int read_addresses(int netlink, struct device *device)
{
	const struct ifaddrmsg all = { .ifa_family = AF_UNSPEC };
	struct netlink_request request;

	device->n_addresses = 0;
	netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &all, sizeof(all));
	return netlink_ask(netlink, &request, add_address, device);
}

static int set_addresses(int netlink, const struct device *device, int index)
{
	for (size_t i = 0; i < device->n_addresses; i++) {
		const struct address *address = &device->addresses[i];
		struct ifaddrmsg head = address->head;
		struct netlink_request request;
		int r;

		head.ifa_index = (uint32_t)index;
		head.ifa_flags = IFA_F_PERMANENT;
		netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof(head));
		if (address->local_size)
			netlink_put(&request, IFA_LOCAL, address->local, address->local_size);
		if (address->peer_size)
			netlink_put(&request, IFA_ADDRESS, address->peer, address->peer_size);
		if (address->broadcast_size)
			netlink_put(&request, IFA_BROADCAST, address->broadcast, address->broadcast_size);
		if ((r = netlink_ask(netlink, &request, NULL, NULL)) < 0)
			return r;
	}
	return 0;
}

static int read_link(void *data, const struct nlmsghdr *message)
{
	struct device *device = data;
	struct ifinfomsg head;
	const char *name;
	size_t size = 0;

	if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(sizeof(head)))
		return 0;
	memcpy(&head, NLMSG_DATA(message), sizeof(head));
	device->index = head.ifi_index;
	device->up = head.ifi_flags & IFF_UP;
	name = netlink_attribute(message, sizeof(head), IFLA_IFNAME, &size);
	if (!name || size > sizeof(device->name))
		return -EPROTO;
	memcpy(device->name, name, size);
	return 0;
}

static int find_device(int netlink, const char *name, struct device *device)
{
	const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
	struct netlink_request request;

	netlink_begin(&request, RTM_GETLINK, 0, &any, sizeof(any));
	netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return netlink_ask(netlink, &request, read_link, device);
}

static bool has_index(int netlink, int index)
{
	const struct ifinfomsg one = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct netlink_request request;

	netlink_begin(&request, RTM_GETLINK, 0, &one, sizeof(one));
	return netlink_ask(netlink, &request, NULL, NULL) == 0;
}

static bool is_taken(int netlink, const char *name)
{
	struct device device;

	return find_device(netlink, name, &device) == 0;
}

/*
 * The number is chosen here: after the move it is the only way to find a device named "eth%d".  The kernel
 * moves first and renames afterwards, so a device can be there though this failed: `moved` is 0 if not.
 */
static int move_device(const struct side *from, const struct side *to, int index, const char *name,
		       int *moved)
{
	const struct ifinfomsg one = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct netlink_request request;
	int r, there = index;

	while (has_index(to->netlink, there))
		there++;
	netlink_begin(&request, RTM_NEWLINK, 0, &one, sizeof(one));
	netlink_put(&request, IFLA_NET_NS_FD, &to->ns, sizeof(to->ns));
	netlink_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	netlink_put(&request, IFLA_NEW_IFINDEX, &there, sizeof(there));
	r = netlink_ask(from->netlink, &request, NULL, NULL);
	*moved = r == 0 || has_index(to->netlink, there) ? there : 0;
	return r;
}

static int set_up(int netlink, int index)
{
	const struct ifinfomsg up = {
		.ifi_family = AF_UNSPEC, .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP
	};
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWLINK, 0, &up, sizeof(up));
	return netlink_ask(netlink, &request, NULL, NULL);
}

/* As it was: name, number, addresses.  Its own failure has nobody to be told to; the launch fails
 * with what came before. */
static void move_back(const struct side *host, const struct side *inside, const struct device *device,
		      int index)
{
	int back;

	(void)move_device(inside, host, index, device->name, &back);
	if (!back)
		return;
	(void)set_addresses(host->netlink, device, back);
	if (device->up)
		(void)set_up(host->netlink, back);
}

/* What is inside and would have to go back. */
struct given {
	int index;
	bool was_up;
	char name[IF_NAMESIZE]; /* on the host */
};

static int give(const struct side *host, const struct side *inside, const struct plan_net_device *wanted,
		const struct dj_plan *plan, struct given *given, struct donjon_error *err)
{
	const char *name = plan_text(plan, wanted->name), *as = plan_text(plan, wanted->inside);
	const char *pointer = plan_text(plan, wanted->pointer);
	struct device device = { 0 };
	int r, index = 0;

	if ((r = find_device(host->netlink, name, &device)) < 0)
		return dj_fail_os(err, -r, "%s: find it on the host", pointer);
	if ((r = read_addresses(host->netlink, &device)) < 0)
		return dj_fail_os(err, -r, "%s: read its addresses", pointer);
	r = is_taken(inside->netlink, as) ? -EEXIST
					  : move_device(host, inside, device.index, as, &index);
	if (r < 0)
		(void)dj_fail_os(err, -r, "%s: move it into the container as %s", pointer, as);
	else if ((r = set_addresses(inside->netlink, &device, index)) < 0)
		(void)dj_fail_os(err, -r, "%s: keep its addresses", pointer);
	else if ((r = set_up(inside->netlink, index)) < 0)
		(void)dj_fail_os(err, -r, "%s: set it up", pointer);
	if (r < 0 && index)
		move_back(host, inside, &device, index);
	*given = (struct given){ .index = index, .was_up = device.up };
	memcpy(given->name, device.name, sizeof(given->name));
	return r < 0 ? -1 : 0;
}

/* Devices given before the one that failed go back, too. */
static void take_back(const struct side *host, const struct side *inside, const struct given *given,
		      uint32_t n)
{
	while (n-- > 0) {
		struct device device = { .index = given[n].index, .up = given[n].was_up };

		memcpy(device.name, given[n].name, sizeof(device.name));
		if (read_addresses(inside->netlink, &device) == 0)
			move_back(host, inside, &device, device.index);
	}
}

static int give_all(const struct side *host, const struct side *inside, const struct dj_plan *plan,
		    struct donjon_error *err)
{
	const struct plan_net_device *devices = plan_items(plan, plan->net_devices, struct plan_net_device);
	dj_auto_free struct given *given = calloc(plan->net_devices.n, sizeof(*given));

	if (!given)
		return dj_fail_os(err, ENOMEM, "move network devices");
	for (uint32_t i = 0; i < plan->net_devices.n; i++)
		if (give(host, inside, &devices[i], plan, &given[i], err) < 0) {
			take_back(host, inside, given, i);
			return -1;
		}
	return 0;
}

static int open_side(const struct outside *o, const char *path, struct side *side, struct donjon_error *err)
{
	side->ns = openat(o->proc, path, O_RDONLY | O_CLOEXEC);
	return side->ns < 0 ? dj_fail_os(err, errno, "open /proc/%s", path) : 0;
}

/* Sockets belong to the namespace their maker was in. */
static int open_sockets(struct side *host, struct side *inside, struct donjon_error *err)
{
	host->netlink = netlink_open();
	if (host->netlink < 0)
		return dj_fail_os(err, -host->netlink, "open a netlink socket");
	if (setns(inside->ns, CLONE_NEWNET) < 0)
		return dj_fail_os(err, errno, "enter the container's network namespace");
	inside->netlink = netlink_open();
	if (setns(host->ns, CLONE_NEWNET) < 0)
		return dj_fail_os(err, errno, "return to the own network namespace");
	return inside->netlink < 0
		       ? dj_fail_os(err, -inside->netlink, "open a netlink socket in the container")
		       : 0;
}

static void close_side(struct side *side)
{
	dj_close(&side->ns);
	dj_close(&side->netlink);
}

int give_net_devices(struct outside *o, uint32_t row, struct donjon_error *err)
{
	struct side host = { -1, -1 }, inside = { -1, -1 };
	char path[32];
	int r;

	(void)row;
	(void)snprintf(path, sizeof(path), "%d/ns/net", (int)o->pid);
	r = open_side(o, "thread-self/ns/net", &host, err);
	if (r == 0)
		r = open_side(o, path, &inside, err);
	if (r == 0)
		r = open_sockets(&host, &inside, err);
	if (r == 0)
		r = give_all(&host, &inside, o->plan, err);
	close_side(&host);
	close_side(&inside);
	return r;
}
