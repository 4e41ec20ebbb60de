/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The requests that a kernel's vhost-net gets, against a fake one that keeps its rules: an owner
 * first, then features, memory, a ring's parts in any order, and a backend last. The real one is
 * met in tests/nested.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/vhost.h>

#include "base/common.h"
#include "base/fd.h"
#include "vhost/kernel.h"
#include "vhost/message.h"
#include "virtio/feature_bits.h"

#define OFFERED                                                                                    \
	(BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_NET_F_MRG_RXBUF) | BIT64(VIRTIO_RING_F_EVENT_IDX))

/* What the fake has been told. */
static struct {
	bool owned;
	uint64_t features;
	struct vhost_memory_region region;
	unsigned size[2], base[2];
	struct vhost_vring_addr place[2];
	int kick[2], call[2], error[2], backend[2];
	unsigned long refused; /* the request that fails, with `code` */
	int code;
	unsigned requests;
} fake;

static struct vhost_kernel kernel;
static uint8_t memory[8192] __attribute__((aligned(4096)));

static int refuse(int code)
{
	errno = code;
	return -1;
}

/* What names a ring. */
static int ring_request(unsigned long request, void *argument)
{
	const struct vhost_vring_state *state = argument;
	const struct vhost_vring_file *file = argument;
	unsigned i = state->index;

	assert_in_range(i, 0, 1);
	switch (request) {
	case VHOST_SET_VRING_NUM:
		fake.size[i] = state->num;
		return 0;
	case VHOST_SET_VRING_BASE:
		fake.base[i] = state->num;
		return 0;
	case VHOST_SET_VRING_ADDR:
		fake.place[i] = *(const struct vhost_vring_addr *)argument;
		return 0;
	case VHOST_SET_VRING_KICK:
		fake.kick[i] = file->fd;
		return 0;
	case VHOST_SET_VRING_CALL:
		fake.call[i] = file->fd;
		return 0;
	case VHOST_SET_VRING_ERR:
		fake.error[i] = file->fd;
		return 0;
	case VHOST_NET_SET_BACKEND:
		/* The kernel looks at the ring only where there is one. */
		if (file->fd >= 0 && (!fake.size[i] || !fake.place[i].desc_user_addr))
			return refuse(EFAULT);
		fake.backend[i] = file->fd;
		return 0;
	default:
		fail_msg("an unknown request %lx", request);
		return -1;
	}
}

static int fake_request(int fd, unsigned long request, void *argument)
{
	const struct vhost_memory *table = argument;

	assert_int_equal(fd, kernel.fd);
	fake.requests++;
	if (request == fake.refused)
		return refuse(fake.code);
	if (request == VHOST_SET_OWNER) {
		fake.owned = true;
		return 0;
	}
	if (request == VHOST_GET_FEATURES) {
		*(uint64_t *)argument = OFFERED;
		return 0;
	}
	if (!fake.owned)
		return refuse(EPERM);
	if (request == VHOST_SET_FEATURES) {
		fake.features = *(uint64_t *)argument;
		return fake.features & ~OFFERED ? refuse(EOPNOTSUPP) : 0;
	}
	if (request == VHOST_SET_MEM_TABLE) {
		assert_int_equal(table->nregions, 1);
		assert_int_equal(table->padding, 0);
		fake.region = table->regions[0];
		return 0;
	}
	return ring_request(request, argument);
}

static int setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	fake.backend[0] = fake.backend[1] = -1;
	return 0;
}

static int open_kernel(uint64_t wanted, uint64_t needed, struct error *error)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	/* The fake compares descriptors while it is opened, too. */
	kernel.fd = fd;
	return vhost_kernel_open(&kernel, fd, fake_request, wanted, needed, error);
}

static const struct vhost_kernel_memory shared = {memory, sizeof(memory)};

static struct vhost_kernel_ring ring_of(unsigned base)
{
	return (struct vhost_kernel_ring){
		.size = 64,
		.base = base,
		.descriptors = memory,
		.available = memory + 1024,
		.used = memory + 4096,
		.kick_fd = 71,
		.call_fd = -1,
		.error_fd = 73,
	};
}

static void test_start_and_stop(void **state)
{
	const struct vhost_kernel_ring ring = ring_of(5);
	struct error error;
	int fd;

	assert_int_equal(open_kernel(~0ULL, BIT64(VIRTIO_F_VERSION_1), &error), 0);
	assert_int_equal(kernel.features, OFFERED);
	assert_int_equal(fake.features, OFFERED);
	assert_int_equal(vhost_kernel_share(&kernel, &shared, &error), 0);
	assert_int_equal(fake.region.guest_phys_addr, (uintptr_t)memory);
	assert_int_equal(fake.region.userspace_addr, (uintptr_t)memory);
	assert_int_equal(fake.region.memory_size, sizeof(memory));
	assert_int_equal(vhost_kernel_start(&kernel, VHOST_KERNEL_TRANSMIT, &ring, 99, &error), 0);
	assert_int_equal(fake.size[1], 64);
	assert_int_equal(fake.base[1], 5);
	assert_int_equal(fake.place[1].desc_user_addr, (uintptr_t)memory);
	assert_int_equal(fake.place[1].avail_user_addr, (uintptr_t)memory + 1024);
	assert_int_equal(fake.place[1].used_user_addr, (uintptr_t)memory + 4096);
	assert_int_equal(fake.place[1].flags, 0);
	assert_int_equal(fake.kick[1], 71);
	assert_int_equal(fake.call[1], -1);
	assert_int_equal(fake.error[1], 73);
	assert_int_equal(fake.backend[1], 99);
	assert_int_equal(fake.backend[0], -1);
	fd = kernel.fd;
	vhost_kernel_close(&kernel);
	assert_int_equal(fake.backend[1], -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	vhost_kernel_close(&kernel);
}

static void test_features(void **state)
{
	const uint64_t packed = BIT64(VIRTIO_F_RING_PACKED);
	struct error error;
	int fd;

	/* Nothing that was not asked for, */
	assert_int_equal(open_kernel(BIT64(VIRTIO_F_VERSION_1), 0, &error), 0);
	assert_int_equal(fake.features, BIT64(VIRTIO_F_VERSION_1));
	vhost_kernel_close(&kernel);
	/* nothing that the kernel lacks, */
	assert_int_equal(open_kernel(packed | BIT64(VIRTIO_F_VERSION_1), 0, &error), 0);
	assert_int_equal(kernel.features, BIT64(VIRTIO_F_VERSION_1));
	vhost_kernel_close(&kernel);
	/* and no device without what is needed. */
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	kernel.fd = fd;
	assert_int_equal(
		vhost_kernel_open(&kernel, fd, fake_request, packed, packed, &error), -ENOTSUP);
	assert_non_null(strstr(error.text, "0x400000000"));
	assert_int_equal(kernel.fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* Each request may fail; the error says what could not be done, and nothing runs after it. */
static void test_refused(void **state)
{
	static const struct {
		unsigned long request;
		const char *words;
	} cases[] = {
		{VHOST_SET_OWNER, "own the device"},
		{VHOST_GET_FEATURES, "read the features"},
		{VHOST_SET_FEATURES, "set the features"},
		{VHOST_SET_MEM_TABLE, "share the memory"},
		{VHOST_SET_VRING_NUM, "size"},
		{VHOST_SET_VRING_BASE, "place"},
		{VHOST_SET_VRING_ADDR, "addresses"},
		{VHOST_SET_VRING_KICK, "kick"},
		{VHOST_SET_VRING_CALL, "call"},
		{VHOST_SET_VRING_ERR, "error eventfd"},
		{VHOST_NET_SET_BACKEND, "use the TAP"},
	};
	const struct vhost_kernel_ring ring = ring_of(0);

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {""};
		int status;

		setup(state);
		fake.refused = cases[i].request;
		fake.code = EBUSY;
		status = open_kernel(OFFERED, 0, &error);
		if (status == 0)
			status = vhost_kernel_share(&kernel, &shared, &error);
		if (status == 0)
			status = vhost_kernel_start(&kernel, 0, &ring, 99, &error);
		assert_int_equal(status, -EBUSY);
		assert_non_null(strstr(error.text, cases[i].words));
		assert_false(kernel.running[0]);
		vhost_kernel_close(&kernel);
		assert_int_equal(fake.backend[0], -1);
	}
}

/* A ring that is stopped may start elsewhere, and stopping twice asks nothing of the kernel. */
static void test_again(void **state)
{
	struct vhost_kernel_ring ring = ring_of(0);
	struct error error;
	unsigned before;

	assert_int_equal(open_kernel(OFFERED, 0, &error), 0);
	assert_int_equal(vhost_kernel_share(&kernel, &shared, &error), 0);
	assert_int_equal(vhost_kernel_start(&kernel, 0, &ring, 99, &error), 0);
	vhost_kernel_stop(&kernel, 0);
	before = fake.requests;
	vhost_kernel_stop(&kernel, 0);
	assert_int_equal(fake.requests, before);
	ring.base = 77;
	assert_int_equal(vhost_kernel_start(&kernel, 0, &ring, 98, &error), 0);
	assert_int_equal(fake.base[0], 77);
	assert_int_equal(fake.backend[0], 98);
	vhost_kernel_close(&kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_start_and_stop, setup),
		cmocka_unit_test_setup(test_features, setup),
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_again, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
