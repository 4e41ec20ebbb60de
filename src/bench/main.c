/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsw-bench: VMs without the machines, that send to each other through a vhost-user switch and
 * check what arrives.
 */
#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bench/null.h"
#include "bench/options.h"
#include "bench/run.h"

/* Exit statuses: done, failed or faulty frames, wrong usage. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* How long backends may take to stop the rings. */
#define STOP_SECONDS 1

enum phase { CONNECTING, WORKING, STOPPING };

struct program {
	const struct bench_options *options;
	struct event_base *base;
	struct bench_port **ports; /* [options->port_count] */
	enum phase phase;
	bool interrupted;  /* by a signal */
	struct error lost; /* why a port ceased to run, while working; empty: none did */
};

static unsigned count_ports(const struct program *program, bool running)
{
	unsigned count = 0;

	for (unsigned i = 0; i < program->options->port_count; i++)
		count += program->ports[i] && program->ports[i]->running == running;
	return count;
}

static const struct bench_port *find_refused(const struct program *program)
{
	for (unsigned i = 0; i < program->options->port_count; i++)
		if (program->ports[i] && program->ports[i]->refused)
			return program->ports[i];
	return NULL;
}

/* Of the first loss: the port may be back before anyone looks. */
static void note_loss(struct program *program)
{
	for (unsigned i = 0; i < program->options->port_count && !program->lost.text[0]; i++)
		if (!program->ports[i]->running)
			error_set(&program->lost, -ECONNRESET, "port %u lost its connection: %s",
				i + 1, program->ports[i]->failure.text);
}

static void on_changed(void *owner)
{
	struct program *program = owner;
	unsigned all = program->options->port_count;

	if (program->phase == WORKING)
		note_loss(program);
	else if (program->phase == CONNECTING && find_refused(program))
		event_base_loopbreak(program->base); /* to try again is no use */
	else if (count_ports(program, program->phase == CONNECTING) == all)
		event_base_loopbreak(program->base);
}

static const struct bench_port_ops port_ops = {.changed = on_changed};

static void on_signal(evutil_socket_t number, short what, void *argument)
{
	struct program *program = argument;

	program->interrupted = true;
	event_base_loopbreak(program->base);
}

/* Runs the event loop until something breaks it, or for so long. */
static void loop_for(struct program *program, uint64_t seconds)
{
	const struct timeval limit = {.tv_sec = (time_t)seconds};

	event_base_loopexit(program->base, &limit);
	event_base_dispatch(program->base);
}

/* Says of the first port that does not run, why; where a backend refused one, of that: the others
 * had no time to connect. */
static void explain_port(const struct program *program)
{
	const struct bench_port *port = find_refused(program);

	for (unsigned i = 0; !port; i++)
		if (!program->ports[i]->running)
			port = program->ports[i];
	log_error("port %u: %s: %s", port->number + 1, program->options->ports[port->number].path,
		port->failure.text[0] ? port->failure.text : "no connection");
}

static bool connect_ports(struct program *program)
{
	const struct bench_options *options = program->options;
	struct error error;

	for (unsigned i = 0; i < options->port_count; i++) {
		program->ports[i] = bench_port_open(options->null ? NULL : program->base, options,
			i, &port_ops, program, &error);
		if (!program->ports[i] ||
			(options->null && bench_port_set_up(program->ports[i], &error) < 0)) {
			log_error("port %u: %s", i + 1, error.text);
			return false;
		}
	}
	if (count_ports(program, false))
		loop_for(program, options->connect);
	if (!program->interrupted && count_ports(program, false)) {
		explain_port(program);
		return false;
	}
	return !program->interrupted;
}

static bool keep_on(void *owner)
{
	struct program *program = owner;

	event_base_loop(program->base, EVLOOP_NONBLOCK);
	return !program->interrupted && !program->lost.text[0];
}

/* Scripts read what the switch counts from here on. */
static void on_measuring(void *owner)
{
	fputs("measuring\n", stderr);
}

static int report(const struct bench_result *result)
{
	int status = 0;

	if (result->options->json)
		status = bench_result_print_json(result, stdout);
	else
		bench_result_print(result, stdout);
	if (status < 0 || fflush(stdout) == EOF || ferror(stdout)) {
		log_error("cannot write the result");
		return EXIT_FAILED;
	}
	if (!result->total.received)
		log_error("no frame arrived");
	return bench_result_is_clean(result) ? EXIT_DONE : EXIT_FAILED;
}

static enum bench_null_copy null_copy(const struct bench_options *options)
{
	if (options->null_copy || options->verify)
		return BENCH_NULL_WHOLE;
	return options->tso ? BENCH_NULL_LINES : BENCH_NULL_LINE;
}

static int measure(struct program *program)
{
	const struct bench_options *options = program->options;
	const struct bench_run_config config = {
		.options = options,
		.ports = program->ports,
		.keep_on = keep_on,
		.measuring = on_measuring,
		.owner = program,
	};
	struct bench_null *null = NULL;
	struct bench_result result;
	struct error error;
	int status = EXIT_FAILED;

	if (options->null) {
		null = bench_null_start(
			program->ports, null_copy(options), (int)options->null_cpu, &error);
		if (!null) {
			log_error("%s", error.text);
			return EXIT_FAILED;
		}
	}
	if (bench_run(&config, &result, &error) == 0) {
		status = report(&result);
		bench_result_free(&result);
	} else {
		log_error("%s", program->lost.text[0] ? program->lost.text : error.text);
	}
	bench_null_stop(null);
	return status;
}

/* Silent until a signal; ports that lose their connection find it again. */
static int hold(struct program *program)
{
	puts("ready");
	fflush(stdout);
	event_base_dispatch(program->base);
	return EXIT_DONE;
}

static void stop_ports(struct program *program)
{
	program->phase = STOPPING;
	for (unsigned i = 0; i < program->options->port_count; i++)
		if (program->ports[i])
			bench_port_stop(program->ports[i]);
	if (!program->options->null && count_ports(program, true))
		loop_for(program, STOP_SECONDS);
	for (unsigned i = 0; i < program->options->port_count; i++)
		bench_port_close(program->ports[i]);
}

static int work(struct program *program)
{
	struct event *terminate = evsignal_new(program->base, SIGTERM, on_signal, program);
	struct event *interrupt = evsignal_new(program->base, SIGINT, on_signal, program);
	int status = EXIT_FAILED;

	program->ports = calloc(program->options->port_count, sizeof(*program->ports));
	if (!terminate || !interrupt || !program->ports || event_add(terminate, NULL) < 0 ||
		event_add(interrupt, NULL) < 0) {
		log_error("no memory");
	} else {
		if (connect_ports(program)) {
			program->phase = WORKING;
			status = program->options->mode == BENCH_HOLD ? hold(program)
								      : measure(program);
		}
		stop_ports(program);
	}
	free(program->ports);
	if (interrupt)
		event_free(interrupt);
	if (terminate)
		event_free(terminate);
	return status;
}

static int run(const struct bench_options *options)
{
	struct program program = {.options = options};
	int status = EXIT_FAILED;
	cpu_set_t set;

	log_set_program("vsw-bench");
	log_set_level(LOG_LEVEL_WARNING);
	if (options->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET((size_t)options->cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set) < 0) {
			log_error("cannot run on processor %d: %s", (int)options->cpu,
				strerror(errno));
			return EXIT_FAILED;
		}
	}
	program.base = event_base_new();
	if (program.base) {
		status = work(&program);
		event_base_free(program.base);
	} else {
		log_error("cannot create an event loop");
	}
	return status;
}

int main(int argc, char **argv)
{
	static struct bench_options options;
	struct error error;

	switch (bench_options_parse(&options, argc, argv, &error)) {
	case BENCH_OPTIONS_RUN:
		return run(&options);
	case BENCH_OPTIONS_HELP:
		fputs(bench_options_help, stdout);
		return EXIT_DONE;
	case BENCH_OPTIONS_VERSION:
		puts("vsw-bench (virtswitch) " VSW_VERSION);
		return EXIT_DONE;
	default:
		fprintf(stderr, "vsw-bench: %s\nSee 'vsw-bench --help'.\n", error.text);
		return EXIT_USAGE;
	}
}
