/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared by the files of the backend state machine (backend*.c) and nobody else: how a handler says
 * what became of its message, and the steps that several handlers need.
 *
 * A handler may rely on what the dispatcher checked: payload size and descriptor count fit the
 * table's row, a ring index is below the limit, a ring's descriptor is an eventfd, and what the row
 * wants negotiated is. It leaves descriptors that it does not take in the message.
 */
#ifndef VSW_VHOST_BACKEND_PRIVATE_H
#define VSW_VHOST_BACKEND_PRIVATE_H

#include "vhost/backend.h"

/* Both fill the text, "NAME: ..." being put in front later, and return the verdict. */
enum vhost_verdict vhost_refuse(struct vhost_result *result, const char *format, ...) PRINTF(2, 3);
enum vhost_verdict vhost_hang_up(struct vhost_result *result, const char *format, ...) PRINTF(2, 3);

/* Makes the message's own reply: `id` with a payload of `size` zeroed bytes. Returns the
 * payload. */
union vhost_payload *vhost_reply(struct vhost_result *result, uint32_t id, uint32_t size);

/* Ring `index`: stops it where it is started, keeps its base, closes its kick and call eventfds. */
void vhost_ring_halt(struct vhost_backend *backend, unsigned index);

/* As above for every ring. */
void vhost_rings_halt(struct vhost_backend *backend);

/* Halts every ring and forgets what the frontend said of it, but for its base, enable and the
 * error eventfd. */
void vhost_rings_forget(struct vhost_backend *backend);

/* Has every started ring translate its addresses again; those that cannot are halted and named. */
void vhost_rings_remap(struct vhost_backend *backend, struct vhost_result *result);

/* The handlers, one a message. */
#define VHOST_HANDLER(name)                                                                        \
	enum vhost_verdict name(struct vhost_backend *backend, struct vhost_message *message,      \
		struct vhost_result *result)

VHOST_HANDLER(vhost_handle_set_mem_table);
VHOST_HANDLER(vhost_handle_get_max_mem_slots);
VHOST_HANDLER(vhost_handle_set_log_base);
VHOST_HANDLER(vhost_handle_set_log_fd);
VHOST_HANDLER(vhost_handle_add_mem_reg);
VHOST_HANDLER(vhost_handle_rem_mem_reg);
VHOST_HANDLER(vhost_handle_set_vring_num);
VHOST_HANDLER(vhost_handle_set_vring_addr);
VHOST_HANDLER(vhost_handle_set_vring_base);
VHOST_HANDLER(vhost_handle_get_vring_base);
VHOST_HANDLER(vhost_handle_set_vring_kick);
VHOST_HANDLER(vhost_handle_set_vring_call);
VHOST_HANDLER(vhost_handle_set_vring_err);
VHOST_HANDLER(vhost_handle_set_vring_enable);

#endif
