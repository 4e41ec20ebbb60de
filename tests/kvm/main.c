/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole loop of a virtio network card, with nothing between our switch and the kernel's KVM: a
 * guest of sixty instructions puts a frame into a split ring and rings the doorbell; the switch,
 * which shares the guest's memory, carries the frame from its first port to its second, and
 * interrupts the guest there.
 *
 * usage: kvm-loop kernel|user ROUNDS SOCKET SOCKET
 *	kernel: doorbell and interrupt are eventfds that KVM and the switch share (ioeventfd, irqfd)
 *	user:   both go through this process, as if a VMM emulated them
 *
 * Prints one object (JSON) and ends with 0; with 77 and a line that says why where KVM cannot do
 * this here; with 1 and a line that says what went wrong.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "card.h"
#include "layout.h"

#define SKIPPED 77

/* Seconds for all rounds: far more than the slowest machine needs. */
#define PATIENCE 60

static const uint8_t macs[2][6] = {{0x52, 0x54, 0, 0, 0, 1}, {0x52, 0x54, 0, 0, 0, 2}};

static struct {
	struct kvm_vm vm;
	struct card cards[2];
	enum kvm_vm_end end;
	struct error error;
	uint64_t ns;
} loop;

static uint32_t word(uint32_t at)
{
	return __atomic_load_n((uint32_t *)(loop.vm.memory + at), __ATOMIC_ACQUIRE);
}

/* What the guest sends: everything but the number of the frame. */
static void fill_frames(void)
{
	for (unsigned i = 0; i < RING_SIZE; i++) {
		uint8_t *frame = loop.vm.memory + BUFFERS_AT(0, 1) + (i << BUFFER_SHIFT) + HEADER;

		memcpy(frame, macs[1], 6);
		memcpy(frame + 6, macs[0], 6);
		frame[12] = 0x88; /* an EtherType for experiments, IEEE 802 */
		frame[13] = 0xb5;
		for (unsigned k = 14; k < FRAME; k++)
			frame[k] = (uint8_t)(i * 16 + k);
	}
}

/* What the guest found equal is looked at once more, from our side: the last frame is in the second
 * card's memory, with the number that it must have. */
static bool arrived(uint32_t rounds)
{
	const uint8_t *last = loop.vm.memory + BUFFERS_AT(0, 1) +
			      (((rounds - 1) % RING_SIZE) << BUFFER_SHIFT) + HEADER;
	uint32_t number;

	for (unsigned i = 0; i < RING_SIZE; i++) {
		const uint8_t *frame = loop.vm.memory + BUFFERS_AT(1, 0) + (i << BUFFER_SHIFT) +
				       HEADER;

		memcpy(&number, frame + NUMBER_AT, sizeof(number));
		if (memcmp(frame, last, FRAME) == 0 && number == rounds - 1)
			return true;
	}
	return false;
}

static void *run(void *argument)
{
	loop.end = kvm_vm_run(&loop.vm, loop.cards[0].kick_fds[1], &loop.error);
	loop.ns = clock_now_ns() - loop.vm.began;
	return NULL;
}

/* The VMM's part where KVM does not take it over: the switch's signal becomes an interrupt. */
static void *pass_interrupts(void *argument)
{
	uint64_t count;

	while (read(loop.cards[1].call_fds[0], &count, sizeof(count)) > 0)
		if (kvm_vm_interrupt(&loop.vm) < 0)
			break;
	return NULL;
}

static int fail(int status, const char *what)
{
	printf("%s\n", what);
	return status;
}

/* Runs the guest; true where it ended within our patience. */
static bool run_guest(bool kernel)
{
	pthread_t guest, interrupts;
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += PATIENCE;
	/* This one ends with the process. */
	if (!kernel && pthread_create(&interrupts, NULL, pass_interrupts, NULL) != 0)
		return false;
	return pthread_create(&guest, NULL, run, NULL) == 0 &&
	       pthread_timedjoin_np(guest, NULL, &end) == 0;
}

static int report(const char *mode, uint32_t rounds)
{
	uint32_t done = word(DONE_AT), bad = word(BAD_AT);

	if (loop.end == KVM_VM_UNABLE)
		return fail(SKIPPED, loop.error.text);
	if (loop.end == KVM_VM_FAILED)
		return fail(1, loop.error.text);
	if (bad || done != rounds || !arrived(rounds)) {
		printf("check %u of the guest failed; %u of %u frames arrived\n", bad, done,
			rounds);
		return 1;
	}
	printf("{\"mode\": \"%s\", \"rounds\": %u, \"kicks\": %u, \"interrupts\": %u, "
	       "\"seconds\": %.6f}\n",
		mode, done, word(KICKS_AT), word(INTERRUPTS_AT), (double)loop.ns / NS_PER_SECOND);
	return 0;
}

int main(int argc, char **argv)
{
	bool kernel = argc == 5 && strcmp(argv[1], "kernel") == 0;
	uint32_t rounds = argc == 5 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	struct error error;
	int status;

	if (!rounds || (!kernel && strcmp(argv[1], "user") != 0))
		return fail(1, "usage: kvm-loop kernel|user ROUNDS SOCKET SOCKET");
	if (kvm_vm_open(&loop.vm, &error) < 0)
		return fail(SKIPPED, error.text);
	fill_frames();
	memcpy(loop.vm.memory + ROUNDS_AT, &rounds, sizeof(rounds));
	for (unsigned i = 0; i < 2; i++)
		if (card_open(&loop.cards[i], &loop.vm, i, &error) < 0 ||
			card_connect(&loop.cards[i], argv[3 + i], &error) < 0)
			return fail(1, error.text);
	if (kernel && kvm_vm_wire(&loop.vm, loop.cards[0].kick_fds[1], loop.cards[1].call_fds[0],
			      &error) < 0)
		return fail(SKIPPED, error.text);
	if (!run_guest(kernel)) {
		printf("the guest stands still: %u of %u frames arrived, %u kicks, %u interrupts\n",
			word(DONE_AT), rounds, word(KICKS_AT), word(INTERRUPTS_AT));
		return 1;
	}
	status = report(argv[1], rounds);
	for (unsigned i = 0; kernel && i < 2; i++)
		card_close(&loop.cards[i]);
	if (kernel)
		kvm_vm_close(&loop.vm);
	return status;
}
