/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fd.h"
#include "vhost/backend_private.h"

VHOST_HANDLER(vhost_handle_set_log_base)
{
	const struct vhost_log_area *log = &message->payload.log;
	int status;

	/* The other form, an address in the frontend, is for those that did not negotiate
	 * LOG_SHMFD. */
	if (message->header.size != sizeof(*log) || message->fd_count != 1)
		return vhost_refuse(result, "%u bytes with %u descriptors instead of %zu with 1",
			message->header.size, message->fd_count, sizeof(*log));
	status = backend->ops->log_set(
		backend->owner, log->size, log->mmap_offset, &message->fds[0], &result->error);
	vhost_reply(result, message->header.id, 8)->number = status < 0;
	if (status < 0) {
		return VHOST_REFUSED;
	}
	return VHOST_ACCEPTED;
}

VHOST_HANDLER(vhost_handle_set_log_fd)
{
	int old = backend->log_fd;

	if (!fd_is_eventfd(message->fds[0]))
		return vhost_hang_up(result, "the descriptor is no eventfd");
	backend->log_fd = fd_take(&message->fds[0]);
	backend->ops->log_update(backend->owner);
	reaper_close(backend->config.reaper, &old);
	return VHOST_ACCEPTED;
}
