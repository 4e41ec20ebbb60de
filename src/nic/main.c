/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsw-nic: a virtio driver bridged to a TAP, a virtual machine's NIC without the virtual machine.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "host/tap_change.h"
#include "nic/options.h"
#include "nic/session.h"

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct program {
	struct event_base *base;
	struct session *session;
	int status;
};

static void on_ended(void *owner, bool failed)
{
	struct program *program = owner;

	program->status = failed ? EXIT_FAILED : EXIT_DONE;
	event_base_loopbreak(program->base);
}

static void on_signal(evutil_socket_t number, short what, void *argument)
{
	struct program *program = argument;

	session_stop(program->session);
}

static void on_show(evutil_socket_t number, short what, void *argument)
{
	struct program *program = argument;

	session_log_counters(program->session);
}

/* Runs until a signal, or a loss that cannot be mended. Returns the exit status. */
static int run_session(struct program *program, const struct nic_options *options, struct tap *tap)
{
	struct event *terminate = evsignal_new(program->base, SIGTERM, on_signal, program);
	struct event *interrupt = evsignal_new(program->base, SIGINT, on_signal, program);
	struct event *show = evsignal_new(program->base, SIGUSR1, on_show, program);
	struct error error;

	program->status = EXIT_FAILED;
	if (!terminate || !interrupt || !show || event_add(terminate, NULL) < 0 ||
		event_add(interrupt, NULL) < 0 || event_add(show, NULL) < 0) {
		log_error("cannot handle signals");
	} else if (session_open(program->base, options, tap, on_ended, program, &program->session,
			   &error) < 0) {
		log_error("%s", error.text);
	} else {
		event_base_dispatch(program->base);
		session_log_counters(program->session);
		session_free(program->session);
	}
	if (show)
		event_free(show);
	if (interrupt)
		event_free(interrupt);
	if (terminate)
		event_free(terminate);
	return program->status;
}

static int run(const struct nic_options *options)
{
	struct host_tap request = {
		.queues = options->queues,
		.offload = options->offload,
		.set = {.mtu = options->mtu, .has_mac = options->mac_given, .up = true},
	};
	struct program program = {.status = EXIT_FAILED};
	struct error error;
	struct tap tap;

	snprintf(request.name, sizeof(request.name), "%s", options->tap);
	memcpy(request.set.mac, options->mac, sizeof(request.set.mac));
	log_set_program("vsw-nic");
	log_set_level(options->log_level);
	if (host_tap_make(&request, &tap, &error) < 0) {
		log_error("%s", error.text);
		return EXIT_FAILED;
	}
	program.base = event_base_new();
	if (program.base) {
		run_session(&program, options, &tap);
		event_base_free(program.base);
	} else {
		log_error("cannot create an event loop");
	}
	tap_close(&tap);
	return program.status;
}

int main(int argc, char **argv)
{
	struct nic_options options;
	struct error error;

	switch (nic_options_parse(&options, argc, argv, &error)) {
	case NIC_OPTIONS_RUN:
		return run(&options);
	case NIC_OPTIONS_HELP:
		fputs(nic_options_help, stdout);
		return EXIT_DONE;
	case NIC_OPTIONS_VERSION:
		puts("vsw-nic (virtswitch) " VSW_VERSION);
		return EXIT_DONE;
	default:
		fprintf(stderr, "vsw-nic: %s\nSee 'vsw-nic --help'.\n", error.text);
		return EXIT_USAGE;
	}
}
