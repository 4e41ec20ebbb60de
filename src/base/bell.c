/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/bell.h"

#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/peer_signal.h"

static uint64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t bell_measure(int fd)
{
	uint64_t begin = thread_ns();

	peer_signal(fd);
	return thread_ns() - begin;
}

static void suspect(struct bells *bells, unsigned suspicion)
{
	__atomic_store_n(&bells->suspicion, suspicion, __ATOMIC_RELAXED);
}

/* Two threads that ring at once may count one signal for two: that changes nothing in the end. */
static NO_INLINE void ring_suspected(struct bell *bell, int fd, unsigned suspicion)
{
	struct bells *bells = bell->bells;

	if (suspicion >= BELLS_OWED) {
		__atomic_fetch_add(&bells->owed, 1, __ATOMIC_RELAXED);
		if (!__atomic_exchange_n(&bell->owed, true, __ATOMIC_ACQ_REL))
			fd_signal(bells->attention);
	} else if (bell_measure(fd) > BELL_SLOW_NS) {
		suspect(bells, MIN(suspicion + 2, BELLS_OWED));
	} else {
		suspect(bells, suspicion - 1);
	}
}

uint64_t bell_ring(struct bell *bell)
{
	unsigned suspicion = __atomic_load_n(&bell->bells->suspicion, __ATOMIC_RELAXED);
	int fd = __atomic_load_n(&bell->fd, __ATOMIC_RELAXED);
	uint64_t begin = clock_cycles();
	uint64_t spent;

	if (fd < 0)
		return 0;
	if (unlikely(suspicion)) {
		ring_suspected(bell, fd, suspicion);
		return clock_cycles() - begin;
	}
	peer_signal(fd);
	spent = clock_cycles() - begin;
	if (unlikely(spent > BELL_SLOW_CYCLES))
		suspect(bell->bells, 1);
	return spent;
}

void bells_forgive(struct bells *bells)
{
	suspect(bells, 0);
}
