/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/setting.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ipv6_route.h>
#include <linux/route.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

char host_setting_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char c = '\0';

	if (fd >= 0 && read(fd, &c, 1) != 1)
		c = '\0';
	fd_close(&fd);
	return c;
}

int host_setting_write(const char *path, char value, struct error *error)
{
	int fd, status = 0;

	if (host_setting_read(path) == value)
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, &value, 1) != 1)
		status = error_set_errno(error, -errno, "cannot write %c into %s", value, path);
	fd_close(&fd);
	return status;
}

int host_setting_learn_nothing(const char *interface, struct error *error)
{
	static const char *const settings[] = {"ipv4/conf/%s/accept_redirects",
		"ipv6/conf/%s/accept_ra", "ipv6/conf/%s/autoconf", "ipv6/conf/%s/accept_redirects"};

	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++) {
		char path[96] = "/proc/sys/net/";
		int status;

		snprintf(path + strlen(path), sizeof(path) - strlen(path), settings[i], interface);
		if (access(path, F_OK) < 0)
			continue;
		status = host_setting_write(path, '0', error);
		if (status < 0)
			return status;
	}
	return 0;
}

int host_setting_keep_learning(struct error *error)
{
	FILE *routes = fopen("/proc/thread-self/net/ipv6_route", "re");
	char line[256], interface[17], path[80];
	unsigned length, flags;
	int status = 0;

	while (routes && status == 0 && fgets(line, sizeof(line), routes)) {
		/* To, its length, from, its length, via, metric, uses (two), flags, interface. */
		if (sscanf(line, "%*s %x %*s %*s %*s %*s %*s %*s %x %16s", &length, &flags,
			    interface) != 3 ||
			length || !(flags & RTF_ADDRCONF) || !(flags & RTF_GATEWAY))
			continue;
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_ra", interface);
		if (host_setting_read(path) == '1')
			status = host_setting_write(path, '2', error);
	}
	if (routes)
		fclose(routes);
	return status;
}
