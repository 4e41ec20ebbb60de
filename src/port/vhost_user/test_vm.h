/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of the vhost-user port: whole ports behind their sockets, and in the same process the
 * VM at the other end of each: a VMM whose messages the test chooses, and a driver with one pair of
 * split rings. Frames go in and out through the port's class, as a worker would have it.
 *
 * One thread, but for test_vm_send_frame(). What does not happen within TEST_PATIENCE fails the
 * test. The test is linked with --wrap=log_write: what a port warns of is collected in test_said.
 */
#ifndef VSW_PORT_VHOST_USER_TEST_VM_H
#define VSW_PORT_VHOST_USER_TEST_VM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "port/vhost_user/vhost_user.h"
#include "vhost/message.h"
#include "virtio_net/driver.h"

#define require(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			fail_msg("%s:%d: %s\n%s", __FILE__, __LINE__, #condition, test_said);      \
	} while (0)

#define TEST_PATIENCE (20 * NS_PER_SECOND)

/* A guest's memory: one region, with a receiveq (ring 0) and a transmitq (ring 1). */
#define TEST_GUEST  UINT64_C(0x200000) /* guest physical address */
#define TEST_USER   UINT64_C(0x7f0000000000)
#define TEST_MEMORY UINT64_C(0x80000) /* bytes */
#define TEST_RING   64                /* descriptors, each with its buffer */
#define TEST_SLOT   2048              /* bytes of a buffer */
#define TEST_FRAME  100               /* bytes of every frame */

/* What the guest acknowledges. */
#define TEST_VM_FEATURES (BIT64(VIRTIO_F_VERSION_1) | BIT64(VHOST_USER_F_PROTOCOL_FEATURES))

struct test_vm {
	struct port *port;
	char path[96];
	int socket, memory_fd;
	uint8_t *memory;
	struct net_driver_queue queues[2];
};

extern struct event_base *test_base;
extern char test_said[4096]; /* the warnings since the last test_ask() began */

/* An event loop and a folder for sockets. / Gives them back, after the ports were closed, and fails
 * where something that a VM shared is still mapped. */
void test_vms_begin(void);
void test_vms_end(void);

/* A port with one pair of queues, or several, for one VM at a time. */
void test_vm_open(struct test_vm *vm, const char *name, uint16_t index);
void test_vm_open_pairs(struct test_vm *vm, const char *name, uint16_t index, unsigned pairs);
void test_vm_close(struct test_vm *vm);

/* Connects, and has rings with buffers in fresh memory. */
void test_vm_connect(struct test_vm *vm);

/* Protocol features, which must have REPLY_ACK, and features. */
void test_vm_negotiate(const struct test_vm *vm, uint64_t protocol_features);

/* Connects, negotiates, and starts both rings. / Hangs up, and waits until the port
 * has seen it. */
void test_vm_attach(struct test_vm *vm, uint64_t protocol_features);
void test_vm_detach(struct test_vm *vm);

/* True while the port has a VM. */
bool test_vm_connected(const struct test_vm *vm);

/* Messages that ask to be acknowledged (REPLY_ACK). */
struct vhost_message test_make(uint32_t id, uint32_t size);
struct vhost_message test_make_number(uint32_t id, uint64_t number);
struct vhost_message test_make_state(uint32_t id, uint32_t index, uint32_t number);
/* SET_VRING_ADDR for where the ring is, with the log fields that the test wants. */
struct vhost_message test_make_address(
	const struct test_vm *vm, unsigned ring, uint32_t flags, uint64_t log);

/* What an acknowledgement says, and what comes where the port has ended the connection instead. */
enum { TEST_HUNG_UP = -1, TEST_GRANTED = 0, TEST_REFUSED = 1 };

/* Sends a message. / The u64 of the next one that comes back, which must be the answer to `id`. /
 * One after the other. Descriptors are borrowed. */
void test_tell(const struct test_vm *vm, const struct vhost_message *message);
int64_t test_answer(const struct test_vm *vm, uint32_t id);
int64_t test_ask(const struct test_vm *vm, struct vhost_message message);

/* SET_MEM_TABLE with the VM's memory. / Sizes, places, starts and enables a ring; those of further
 * pairs lie where the first pair's do, and nothing may pass through them. Both must be granted. */
void test_vm_share_memory(const struct test_vm *vm);
void test_vm_start_ring(const struct test_vm *vm, unsigned ring);

/* SET_VRING_KICK with a new eventfd, which must be granted. */
void test_vm_kick(const struct test_vm *vm, unsigned ring);

/* Sends a frame to the VM, with a batch of the calling thread's. */
void test_vm_send_frame(const struct test_vm *vm, struct packet_batch *batch);

/* Frames that the guest has received since it was last asked; it makes their buffers available
 * again. */
unsigned test_vm_receive_frames(struct test_vm *vm);

/* Frames that the port takes from the guest's transmitq. */
unsigned test_vm_take_frames(const struct test_vm *vm);

/* True where a frame now gets into the guest, and nothing else does. / Out of it. */
bool test_vm_receives(struct test_vm *vm);
bool test_vm_transmits(struct test_vm *vm);

#endif
