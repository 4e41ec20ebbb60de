/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "host/setting.h"

/* The kernel lets a program that was killed hold its TAPs a moment longer than it lives (with
 * io_uring). */
#define BUSY_TRIES    20
#define BUSY_PAUSE_NS (10 * NS_PER_MS)

static int open_device(struct error *error)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(error, -errno, "cannot open /dev/net/tun%s",
			errno == ENOENT || errno == ENODEV
				? " (the kernel has no TAP, or the program does not see the device)"
				: "");
	return fd;
}

static const char *hint(int code)
{
	switch (code) {
	case EPERM:
		return " (it takes root, or the capability CAP_NET_ADMIN)";
	case EBUSY:
		return " (another program has it)";
	case EINVAL:
		return " (it exists and is of another kind, or has not this number of queues)";
	default:
		return "";
	}
}

/* The kernel would take a '%' for a place to put a number. */
static int check_name(const char *name, struct error *error)
{
	size_t length = strnlen(name, LINK_NAME_SIZE);

	if (length == 0 || length == LINK_NAME_SIZE || strcspn(name, "%/: \t\n") != length ||
		strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(error, -EINVAL, "'%.*s' is not the name of an interface",
			LINK_NAME_SIZE, name);
	return 0;
}

/* Whether an interface that is there already can be attached to. */
static int judge(const struct host_tap *request, const struct link *link, struct error *error)
{
	if (!link->tap)
		return error_set(error, -EEXIST, "interface %s exists and is no TAP%s%s",
			request->name, *link->kind ? " but of the kind " : "", link->kind);
	if (link->queues)
		return error_set(error, -EBUSY, "another program has TAP %s", request->name);
	return 0;
}

static int judge_queues(
	const struct host_tap *request, const struct link *link, struct error *error)
{
	if (request->queues == 1 || link->multi_queue)
		return 0;
	return error_set(error, -EINVAL,
		"TAP %s exists and was made for one queue, not %u: where it is deleted (ip link "
		"del %s) it is made anew",
		request->name, request->queues, request->name);
}

/* The first queue makes the interface, the others join it. */
static int open_queue(struct tap *tap, unsigned index, int flags, struct error *error)
{
	struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags)};
	int fd = open_device(error);
	int status;

	if (fd < 0)
		return fd;
	memcpy(request.ifr_name, tap->name, LINK_NAME_SIZE);
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		status = -errno;
		fd_close(&fd);
		return error_set(error, status, "cannot %s TAP %s: %s%s",
			tap->found ? "attach to" : "create", tap->name, strerror(-status),
			hint(-status));
	}
	tap->fds[index] = fd;
	tap->attached[index] = true;
	/* Without an owner anybody may join the queues of one that has several. */
	if (!tap->found && index == 0 && ioctl(fd, TUNSETOWNER, (unsigned long)geteuid()) < 0)
		return error_set_errno(error, -errno, "cannot own TAP %s", tap->name);
	return 0;
}

static int open_queues(
	struct tap *tap, const struct host_tap *request, int flags, struct error *error)
{
	for (unsigned i = 0; i < tap->queues; i++) {
		int status = open_queue(tap, i, flags, error);

		if (status < 0)
			return status;
	}
	return 0;
}

/* What the kernel has: all or nothing is its answer, and USO came later than the rest. */
static void find_offloads(struct tap *tap)
{
	const unsigned common = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	const unsigned udp = TUN_F_USO4 | TUN_F_USO6;

	if (ioctl(tap->fds[0], TUNSETOFFLOAD, common | udp) == 0)
		tap->offloads = common | udp;
	else
		tap->offloads = common;
}

static int set_up(struct tap *tap, const struct host_tap *request, struct error *error)
{
	int status;

	if (request->offload) {
		find_offloads(tap);
		status = tap_set_offloads(tap, 0, sizeof(struct virtio_net_hdr), error);
		if (status < 0)
			return status;
	}
	if (request->gateway) {
		status = host_setting_learn_nothing(tap->name, error);
		if (status < 0)
			return status;
	}
	/* Before it comes up: nobody shall see a link that leads nowhere. */
	status = tap_set_carrier(tap, false);
	if (status < 0)
		return error_set_errno(
			error, status, "cannot set the carrier of TAP %s", tap->name);
	status = link_find(tap->name, &tap->link);
	if (status < 0)
		return error_set_errno(error, status, "cannot find TAP %s", tap->name);
	return 0;
}

static int try_open(const struct host_tap *request, struct tap *tap, struct error *error)
{
	struct link link;
	int flags = request->offload ? IFF_VNET_HDR : 0;
	int status;

	if (link_find(request->name, &link) == 0) {
		tap->found = true;
		status = judge(request, &link, error);
		if (status < 0)
			return status;
		tap->failed = TAP_SETTING_QUEUES;
		status = judge_queues(request, &link, error);
		if (status < 0)
			return status;
		tap->failed = TAP_SETTING_NAME;
	} else if (request->existing) {
		return error_set(error, -ENODEV, "there is no interface %s", request->name);
	}
	if (tap->found ? link.multi_queue : request->queues > 1)
		flags |= IFF_MULTI_QUEUE;
	tap->netns = netns_identity();
	status = open_queues(tap, request, flags, error);
	return status < 0 ? status : set_up(tap, request, error);
}

/* In the namespace of the request. */
static int open_here(const struct host_tap *request, struct tap *tap, struct error *error)
{
	int status;

	memset(tap, 0, sizeof(*tap));
	memcpy(tap->name, request->name, sizeof(tap->name));
	tap->queues = request->queues;
	for (unsigned i = 0; i < TAP_QUEUES_MAX; i++)
		tap->fds[i] = -1;
	status = try_open(request, tap, error);
	if (status < 0)
		tap_close(tap);
	return status;
}

int host_tap_open(const struct host_tap *request, struct tap *tap, struct error *error)
{
	const struct timespec pause = {.tv_nsec = BUSY_PAUSE_NS};
	struct netns_visit visit;
	int status = check_name(request->name, error);

	tap->failed = TAP_SETTING_NAME;
	if (status < 0)
		return status;
	status = netns_enter(&visit, request->netns, error);
	tap->failed = TAP_SETTING_NETNS;
	if (status < 0)
		return status;
	status = open_here(request, tap, error);
	for (unsigned i = 0; status == -EBUSY && !request->at_once && i < BUSY_TRIES; i++) {
		nanosleep(&pause, NULL);
		status = open_here(request, tap, error);
	}
	netns_leave(&visit);
	return status;
}

int host_tap_look(const struct host_tap *request, struct link *link)
{
	struct netns_visit visit;
	struct error error;
	int status = netns_enter(&visit, request->netns, &error);

	if (status < 0)
		return status;
	status = link_find(request->name, link);
	netns_leave(&visit);
	return status;
}

int host_tap_address(const struct host_tap *request, struct link_address *address)
{
	struct netns_visit visit;
	struct error error;
	struct link link;
	int status = netns_enter(&visit, request->netns, &error);

	if (status < 0)
		return status;
	status = link_find(request->name, &link);
	if (status == 0)
		status = link_addresses(link.index, address, 1);
	netns_leave(&visit);
	return status == 0 ? -ENODEV : MIN(status, 0);
}

/* Whether the interface has left the namespace where it was opened. */
static bool has_moved(const struct tap *tap)
{
	int fd = ioctl(tap->fds[0], TUNGETDEVNETNS);
	struct stat status;
	bool moved;

	/* Without the privilege nobody knows, and we are no worse off than before. */
	if (fd < 0)
		return false;
	moved = tap->netns && fstat(fd, &status) == 0 && status.st_ino != tap->netns;
	fd_close(&fd);
	return moved;
}

enum tap_place tap_find(const struct tap *tap, char name[LINK_NAME_SIZE])
{
	struct ifreq request = {0};

	name[0] = '\0';
	if (ioctl(tap->fds[0], TUNGETIFF, &request) < 0)
		return TAP_DELETED;
	snprintf(name, LINK_NAME_SIZE, "%.15s", request.ifr_name);
	if (has_moved(tap))
		return TAP_MOVED;
	return strcmp(name, tap->name) == 0 ? TAP_HERE : TAP_RENAMED;
}

int tap_set_carrier(const struct tap *tap, bool carrier)
{
	int value = carrier;

	return ioctl(tap->fds[0], TUNSETCARRIER, &value) < 0 ? -errno : 0;
}

int tap_use_queues(struct tap *tap, unsigned queues, struct error *error)
{
	struct ifreq request;

	for (unsigned i = 0; tap->queues > 1 && i < tap->queues; i++) {
		bool wanted = i < queues;

		if (tap->attached[i] == wanted)
			continue;
		memset(&request, 0, sizeof(request));
		request.ifr_flags = wanted ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
		if (ioctl(tap->fds[i], TUNSETQUEUE, &request) < 0)
			return error_set_errno(error, -errno, "cannot %s queue %u of TAP %s",
				wanted ? "attach" : "detach", i, tap->name);
		tap->attached[i] = wanted;
	}
	return 0;
}

int tap_set_offloads(struct tap *tap, unsigned offloads, uint32_t header_size, struct error *error)
{
	int size = (int)header_size;

	if (ioctl(tap->fds[0], TUNSETVNETHDRSZ, &size) < 0 ||
		ioctl(tap->fds[0], TUNSETOFFLOAD, offloads) < 0)
		return error_set_errno(
			error, -errno, "cannot set the offloads of TAP %s", tap->name);
	tap->header_size = header_size;
	return 0;
}

void tap_close(struct tap *tap)
{
	for (unsigned i = 0; i < TAP_QUEUES_MAX; i++)
		fd_close(&tap->fds[i]);
}
