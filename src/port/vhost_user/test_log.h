/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of what a VMM asks to be logged: a port with a VM, a bystander that nothing may
 * disturb, and the log. */
#ifndef VSW_PORT_VHOST_USER_TEST_LOG_H
#define VSW_PORT_VHOST_USER_TEST_LOG_H

#include "port/vhost_user/test_vm.h"

#include <linux/vhost_types.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "vhost/test_port.h"
#include "virtio/dirty_log.h"

#define FEATURES TEST_VM_FEATURES
#define LOG_ALL  BIT64(VHOST_F_LOG_ALL)
#define PROTOCOL (BIT64(VHOST_PROTOCOL_REPLY_ACK) | BIT64(VHOST_PROTOCOL_LOG_SHMFD))
#define LOG_RING (1u << VHOST_VRING_F_LOG)
#define PAGE     UINT64_C(4096)

/* A log with a bit for every page up to the end of the guest's memory; its bits begin at an offset
 * in the file, for which no alignment is promised. */
#define LOG_SIZE   ((TEST_GUEST + TEST_MEMORY) / PAGE / 8)
#define LOG_OFFSET UINT64_C(123)
#define LOG_FILE   PAGE

struct log {
	int fd;
	uint8_t *file;
};

static struct test_vm vm, bystander;
static unsigned baseline;

static inline struct log log_begin(void)
{
	struct log log = {.fd = memfd_create("vhost_user_log_test", MFD_CLOEXEC)};

	require(log.fd >= 0 && ftruncate(log.fd, (off_t)LOG_FILE) == 0);
	log.file = mmap(NULL, LOG_FILE, PROT_READ | PROT_WRITE, MAP_SHARED, log.fd, 0);
	require(log.file != MAP_FAILED);
	return log;
}

static inline void log_end(struct log *log)
{
	munmap(log->file, LOG_FILE);
	fd_close(&log->fd);
}

static inline bool logged(const struct log *log, uint64_t address)
{
	uint64_t page = address / PAGE;

	return __atomic_load_n(&log->file[LOG_OFFSET + page / 8], __ATOMIC_SEQ_CST) >> page % 8 & 1;
}

static inline unsigned count_logged(const struct log *log)
{
	unsigned count = 0;

	for (uint64_t i = 0; i < LOG_FILE; i++)
		count += (unsigned)__builtin_popcount(log->file[i]);
	return count;
}

static inline void log_clear(const struct log *log)
{
	memset(log->file, 0, LOG_FILE);
}

static inline struct vhost_message make_log_base(int fd, uint64_t size, uint64_t offset)
{
	struct vhost_message message = test_make(
		VHOST_USER_SET_LOG_BASE, sizeof(struct vhost_log_area));

	message.payload.log = (struct vhost_log_area){.size = size, .mmap_offset = offset};
	message.fd_count = fd >= 0;
	message.fds[0] = fd;
	return message;
}

static inline void assert_undisturbed(void)
{
	require(test_vm_connected(&bystander) && test_vm_receives(&bystander) &&
		test_vm_transmits(&bystander));
}

/* The VM is as it was before a refusal, which names what was wrong. */
static inline void assert_refused_only(const char *words)
{
	require(strstr(test_said, "port vm: "));
	require(strstr(test_said, words));
	require(test_vm_connected(&vm) && test_vm_receives(&vm) && test_vm_transmits(&vm));
	assert_undisturbed();
}

static inline void set_features(uint64_t features)
{
	require(test_ask(&vm, test_make_number(VHOST_USER_SET_FEATURES, features)) == TEST_GRANTED);
}

static inline void set_log(const struct log *log)
{
	require(test_ask(&vm, make_log_base(log->fd, LOG_SIZE, LOG_OFFSET)) == TEST_GRANTED);
}

static inline uint64_t next_receive_buffer(void)
{
	return vm.queues[0].slots_address +
	       (uint64_t)(vm.queues[0].ring.next_used % TEST_RING) * TEST_SLOT;
}

/* The next frame into the guest is logged in *log, and nothing is but the page that it goes to. */
static inline void assert_in_force(const struct log *log)
{
	uint64_t buffer = next_receive_buffer();

	log_clear(log);
	require(test_vm_receives(&vm) && logged(log, buffer) && count_logged(log) == 1);
}

static inline int setup(void **state)
{
	baseline = test_fd_count();
	memset(&vm, 0, sizeof(vm));
	memset(&bystander, 0, sizeof(bystander));
	test_vms_begin();
	test_vm_open(&vm, "vm", 0);
	test_vm_open(&bystander, "bystander", 1);
	test_vm_attach(&bystander, PROTOCOL);
	return 0;
}

/* Nothing stays open or mapped, whatever was refused. */
static inline int teardown(void **state)
{
	bool undisturbed = test_vm_connected(&bystander) && test_vm_receives(&bystander) &&
			   test_vm_transmits(&bystander);
	uint64_t begin = clock_now_ns();

	test_vm_detach(&bystander);
	test_vm_close(&bystander);
	test_vm_close(&vm);
	test_vms_end();
	require(undisturbed);
	/* A reaper that has done its last job closes what it signalled with. */
	while (test_fd_count() != baseline && clock_now_ns() - begin < TEST_PATIENCE)
		usleep(1000);
	require(test_fd_count() == baseline);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
