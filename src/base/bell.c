/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/bell.h"

#include <sys/eventfd.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/peer_signal.h"

/* Set once, before any worker runs. */
static uint64_t fair_ns = BELL_FAIR_NS;

static uint64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t bell_measure(int fd)
{
	uint64_t begin;

	/* What a thread needs for its first signal is not the peer's doing. */
	peer_signal_open(NULL);
	begin = thread_ns();
	peer_signal(fd);
	return thread_ns() - begin;
}

void bell_calibrate(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t least = BELL_FAIR_MAX_NS;

	/* Without one there will be no signals either. */
	if (fd < 0)
		return;
	/* The least of several: others have the processor as well. */
	for (unsigned i = 0; i < 16; i++)
		least = MIN(least, bell_measure(fd));
	fair_ns = MIN(MAX(BELL_FAIR_TIMES * least, (uint64_t)BELL_FAIR_NS), BELL_FAIR_MAX_NS);
	fd_close(&fd);
}

static void store(uint64_t *field, uint64_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static void trust(struct bells *bells, enum bells_trust trust)
{
	__atomic_store_n(&bells->trust, trust, __ATOMIC_RELAXED);
}

static void suspect(struct bells *bells, uint64_t now)
{
	store(&bells->until, now + NS_PER_SECOND);
	trust(bells, BELLS_SUSPECTED);
}

enum bell_verdict bells_note(struct bells *bells, uint64_t took, uint64_t now)
{
	uint64_t debt = __atomic_load_n(&bells->debt_ns, __ATOMIC_RELAXED);
	uint64_t off = (now - __atomic_load_n(&bells->debt_at, __ATOMIC_RELAXED)) / BELLS_SHARE;
	uint64_t until = __atomic_load_n(&bells->until, __ATOMIC_RELAXED);
	unsigned slow = __atomic_load_n(&bells->slow, __ATOMIC_RELAXED);

	debt = debt > off ? debt - off : 0;
	store(&bells->debt_at, now);
	if (took <= fair_ns) {
		store(&bells->debt_ns, debt);
		if (now > until)
			trust(bells, BELLS_USUAL);
		return BELL_FAIR;
	}
	debt += took;
	store(&bells->debt_ns, debt);
	if (now + NS_PER_SECOND > until + BELL_SOON_NS)
		slow = 0;
	slow += took > BELL_ENDLESS_NS ? BELL_SLOW_MIN : 1;
	__atomic_store_n(&bells->slow, slow, __ATOMIC_RELAXED);
	suspect(bells, now);
	if (slow < BELL_SLOW_MIN || debt <= BELL_DEBT_NS)
		return BELL_FAIR;
	return debt > BELL_DEBT_MAX_NS ? BELL_TOO_DEAR : BELL_DEAR;
}

/* Whether it is slow every time: watchers of an eventfd are, what a processor does beside is
 * not. */
static bool always_slow(int fd)
{
	for (unsigned i = 0; i < BELL_PROBES; i++)
		if (bell_measure(fd) <= fair_ns)
			return false;
	return true;
}

static void ring_suspected(struct bells *bells, int fd)
{
	uint64_t took = bell_measure(fd);
	enum bell_verdict verdict = bells_note(bells, took, clock_now_ns());

	if (verdict == BELL_TOO_DEAR || (verdict == BELL_DEAR && always_slow(fd)))
		trust(bells, BELLS_OWED);
}

void bell_owe(struct bell *bell)
{
	if (!__atomic_exchange_n(&bell->owed, true, __ATOMIC_ACQ_REL))
		fd_signal(bell->bells->attention);
}

static NO_INLINE void ring_unusual(struct bell *bell, int fd, enum bells_trust trust)
{
	struct bells *bells = bell->bells;

	if (trust == BELLS_SUSPECTED) {
		ring_suspected(bells, fd);
		return;
	}
	__atomic_fetch_add(&bells->owed, 1, __ATOMIC_RELAXED);
	bell_owe(bell);
}

uint64_t bell_ring(struct bell *bell)
{
	enum bells_trust trust = __atomic_load_n(&bell->bells->trust, __ATOMIC_RELAXED);
	int fd = __atomic_load_n(&bell->fd, __ATOMIC_RELAXED);
	uint64_t begin = clock_cycles();
	uint64_t spent;

	if (fd < 0)
		return 0;
	if (unlikely(trust != BELLS_USUAL)) {
		ring_unusual(bell, fd, trust);
		return clock_cycles() - begin;
	}
	peer_signal(fd);
	spent = clock_cycles() - begin;
	if (unlikely(spent > BELL_SLOW_CYCLES))
		suspect(bell->bells, clock_now_ns());
	return spent;
}

void bells_forgive(struct bells *bells)
{
	uint64_t now = clock_now_ns();

	store(&bells->debt_ns, BELL_DEBT_NS);
	store(&bells->debt_at, now);
	suspect(bells, now);
}
