/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"

static struct ifreq request_of(const struct tap *tap)
{
	struct ifreq request;

	memset(&request, 0, sizeof(request));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", tap->name);
	return request;
}

static int open_device(struct error *error)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(error, -errno, "cannot open /dev/net/tun");
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

/* The first queue makes the interface, the others join it. */
static int open_queue(struct tap *tap, unsigned index, bool offload, struct error *error)
{
	struct ifreq request = request_of(tap);
	int fd = open_device(error);
	int status;

	if (fd < 0)
		return fd;
	request.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (tap->queues > 1)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	if (offload)
		request.ifr_flags |= IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		status = -errno;
		fd_close(&fd);
		return error_set(error, status, "cannot create TAP %s: %s%s", tap->name,
			strerror(-status), hint(-status));
	}
	tap->fds[index] = fd;
	tap->attached[index] = true;
	return 0;
}

/* One ioctl of the interface's settings. */
static int configure(const struct tap *tap, int control_fd, unsigned long ioctl_number,
	struct ifreq *request, const char *what, struct error *error)
{
	if (ioctl(control_fd, ioctl_number, request) < 0)
		return error_set_errno(error, -errno, "cannot %s of TAP %s", what, tap->name);
	return 0;
}

static int configure_all(
	const struct tap *tap, const struct tap_config *config, int control_fd, struct error *error)
{
	struct ifreq request = request_of(tap);
	int status;

	request.ifr_mtu = config->mtu;
	status = configure(tap, control_fd, SIOCSIFMTU, &request, "set the MTU", error);
	if (status < 0)
		return status;
	if (config->mac) {
		request = request_of(tap);
		request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
		memcpy(request.ifr_hwaddr.sa_data, config->mac, MAC_SIZE);
		status = configure(
			tap, control_fd, SIOCSIFHWADDR, &request, "set the address", error);
		if (status < 0)
			return status;
	}
	/* Before it comes up: nobody shall see a link that leads nowhere. */
	status = tap_set_carrier(tap, false);
	if (status < 0)
		return error_set_errno(
			error, status, "cannot set the carrier of TAP %s", tap->name);
	request = request_of(tap);
	status = configure(tap, control_fd, SIOCGIFFLAGS, &request, "read the flags", error);
	if (status < 0)
		return status;
	request.ifr_flags |= IFF_UP;
	return configure(tap, control_fd, SIOCSIFFLAGS, &request, "set the flags", error);
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

int tap_open(struct tap *tap, const struct tap_config *config, struct error *error)
{
	int control_fd;
	int status;

	memset(tap, 0, sizeof(*tap));
	snprintf(tap->name, sizeof(tap->name), "%s", config->name);
	tap->queues = config->queues;
	for (unsigned i = 0; i < TAP_QUEUES_MAX; i++)
		tap->fds[i] = -1;
	for (unsigned i = 0; i < tap->queues; i++) {
		status = open_queue(tap, i, config->offload, error);
		if (status < 0)
			goto close_queues;
	}
	if (config->offload) {
		find_offloads(tap);
		status = tap_set_offloads(tap, 0, sizeof(struct virtio_net_hdr), error);
		if (status < 0)
			goto close_queues;
	}
	control_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (control_fd < 0) {
		status = error_set_errno(error, -errno, "cannot open a socket");
		goto close_queues;
	}
	status = configure_all(tap, config, control_fd, error);
	fd_close(&control_fd);
	if (status < 0)
		goto close_queues;
	return 0;

close_queues:
	tap_close(tap);
	return status;
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
