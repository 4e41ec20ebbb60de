/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port for tests of the backend: keeps what it is given, notes each call, can be told to fail,
 * and watches the contract of vhost/backend.h. The first breach is kept as text in `fault`. One
 * thread.
 */
#ifndef VSW_VHOST_TEST_PORT_H
#define VSW_VHOST_TEST_PORT_H

#include "vhost/backend.h"

struct test_port {
	struct vhost_backend backend;
	char fault[128]; /* empty while the contract holds */

	uint64_t features;
	unsigned feature_calls;

	unsigned region_count;
	struct vhost_region regions[VHOST_MEMORY_SLOTS_MAX];
	int region_fds[VHOST_MEMORY_SLOTS_MAX];
	unsigned memory_calls;

	bool started[VHOST_RING_MAX];
	int kick_fds[VHOST_RING_MAX]; /* as borrowed at the last update: open until the next */
	int call_fds[VHOST_RING_MAX];
	unsigned starts, stops, updates;
	unsigned last_index, last_changes;

	unsigned log_calls, log_updates;
	uint64_t log_size, log_offset;
	int log_file, log_fd; /* the latter as borrowed at the last log_update() */

	uint16_t mtu;
	uint8_t announced[6];
	unsigned announcements;
	uint8_t status;

	int fail_update; /* errno that ring_update() fails with; 0: none */
	int fail_memory;
	int fail_log;
	uint32_t stop_base; /* what ring_stop() returns */
};

extern const struct vhost_backend_ops test_port_ops;

/* The features that tests offer: a few virtio ones. Bit 30 is added where protocol features are. */
#define TEST_FEATURES                                                                              \
	(BIT64(32) | BIT64(29) | BIT64(28) | BIT64(26) | BIT64(22) | BIT64(15) | BIT64(3))
#define TEST_PAIRS 2
#define TEST_SLOTS 32

/* A fresh session of two pairs that offers everything the backend implements. */
void test_port_open(struct test_port *port);

/* Ends the session and lets go of the memory. */
void test_port_close(struct test_port *port);

/* Open descriptors of this process. */
unsigned test_fd_count(void);

/* A message with a payload that is in order by itself, and as many new descriptors as it needs:
 * eventfds for rings, memfds for memory. For every id of the table. */
void test_message(struct vhost_message *message, uint32_t id, unsigned ring, unsigned variant);

/* Sends a message with a payload of one u64, or of (index, number); result in *result. */
void test_send_number(
	struct test_port *port, uint32_t id, uint64_t number, struct vhost_result *result);
void test_send_state(struct test_port *port, uint32_t id, uint32_t index, uint32_t number,
	struct vhost_result *result);

/* Sends test_message(id, ring, variant). */
void test_send(struct test_port *port, uint32_t id, unsigned ring, struct vhost_result *result);

/* Acks all that was offered, features and protocol features. */
void test_negotiate(struct test_port *port);

/* Memory, and ring `index` up to its kick and enable, each of which must be accepted. */
bool test_start_ring(struct test_port *port, unsigned index);

#endif
