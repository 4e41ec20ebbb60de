/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/peer_signal.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

/* Interrupts a write(2) that waits: no program of ours uses real-time signals for anything else. */
#define INTERRUPTION SIGRTMIN

/* Requests that may be under way: ours complete within the call that submits them. */
#define REQUESTS 1

/* The beginning of the ring of completions, which lies where the context's number says
 * (fs/aio.c, struct aio_ring). We take completions from it without asking the kernel. */
struct completions {
	uint32_t id;
	uint32_t count;
	uint32_t head; /* ours */
	uint32_t tail; /* the kernel's */
};

static _Thread_local struct {
	bool open;
	bool aio_forbidden;
	aio_context_t context; /* 0: the second way */
	int empty;             /* a file without bytes, so that reading it is done at once */
	bool has_timer;
	timer_t timer;
} own = {.empty = -1};

static int context_open(void)
{
	if (own.aio_forbidden)
		return -EPERM;
	own.empty = memfd_create("nothing", MFD_CLOEXEC);
	if (own.empty < 0)
		return -errno;
	if (syscall(SYS_io_setup, REQUESTS, &own.context) < 0) {
		int saved = errno;

		own.context = 0;
		fd_close(&own.empty);
		return -saved;
	}
	return 0;
}

/* Its only purpose is that the system call returns. */
static void interrupted(int number)
{
	(void)number;
}

static int timer_open(void)
{
	struct sigaction action = {.sa_handler = interrupted};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = INTERRUPTION};
	sigset_t set;

	sigemptyset(&action.sa_mask);
	if (sigaction(INTERRUPTION, &action, NULL) < 0)
		return -errno;
	sigemptyset(&set);
	sigaddset(&set, INTERRUPTION);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &own.timer) < 0)
		return -errno;
	own.has_timer = true;
	return 0;
}

int peer_signal_open(struct error *error)
{
	static bool told; /* by whichever thread is first */
	int no_context, no_timer;

	if (own.open)
		return 0;
	no_context = context_open();
	no_timer = no_context ? timer_open() : 0;
	if (no_timer)
		return error_set_errno(error, no_timer,
			"guests cannot be interrupted: no asynchronous I/O (%s), and no timer",
			strerror(-no_context));
	own.open = true;
	if (no_context && !own.aio_forbidden && !__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
		log_warning("no asynchronous I/O (io_setup: %s%s): guests are interrupted in a "
			    "slower way, and a hostile one can hold a thread up for a millisecond",
			strerror(-no_context),
			no_context == -EAGAIN ? "; raise the sysctl fs.aio-max-nr" : "");
	return 0;
}

void peer_signal_close(void)
{
	if (own.context)
		syscall(SYS_io_destroy, own.context);
	own.context = 0;
	fd_close(&own.empty);
	if (own.has_timer)
		timer_delete(own.timer);
	own.has_timer = false;
	own.open = false;
}

void peer_signal_forbid_aio(void)
{
	own.aio_forbidden = true;
}

/* Has the kernel complete a read of nothing, and tell `fd` of it. */
static void signal_by_completion(int fd)
{
	struct completions *completions = (void *)own.context;
	struct iocb read_nothing = {
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)own.empty,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *request = &read_nothing;

	/* A failure is a descriptor that is no eventfd, or want of kernel memory. */
	if (syscall(SYS_io_submit, own.context, 1, &request) < 0)
		return;
	/* One for which there was no room would not be signalled. */
	__atomic_store_n(&completions->head, __atomic_load_n(&completions->tail, __ATOMIC_ACQUIRE),
		__ATOMIC_RELEASE);
}

/* Writes, with a timer that goes off again and again: the first time may be before write()
 * waits. */
static void signal_by_write(int fd)
{
	const struct timespec patience = {.tv_nsec = PEER_SIGNAL_PATIENCE_NS};
	const struct itimerspec running = {.it_value = patience, .it_interval = patience};
	const struct itimerspec stopped = {0};

	if (timer_settime(own.timer, 0, &running, NULL) < 0)
		return;
	fd_signal(fd);
	timer_settime(own.timer, 0, &stopped, NULL);
}

void peer_signal(int fd)
{
	if (fd < 0 || (unlikely(!own.open) && peer_signal_open(NULL) < 0))
		return;
	if (likely(own.context))
		signal_by_completion(fd);
	else
		signal_by_write(fd);
}
