/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/vhost_net.h"

#include <errno.h>
#include <fcntl.h>

static const char *hint(int code)
{
	switch (code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return " (the kernel has no vhost-net, its module is not loaded, or the program "
		       "does not see the device)";
	case EACCES:
	case EPERM:
		return " (it takes root, or the group that owns the device)";
	default:
		return "";
	}
}

int host_vhost_net_open(struct error *error)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(error, -errno, "cannot open /dev/vhost-net%s", hint(errno));
	return fd;
}
