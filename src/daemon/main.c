/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vswd: reads the configuration, builds the switch, and serves until it is told to stop. This
 * thread is the control thread: it owns the event loop, the model and every socket.
 *
 * Exit status: 0 stopped as asked, 1 the switch could not be started, 2 wrong usage.
 */
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "control/apply.h"
#include "control/by_hand.h"
#include "control/loops.h"
#include "control/rpc/control_path.h"
#include "control/rpc/rpc.h"
#include "control/runtime.h"
#include "control/yaml/config.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/watchdog.h"

static const int stop_signals[] = {SIGTERM, SIGINT};

struct daemon {
	struct options options;
	struct event_base *base;
	struct event *stop[ARRAY_SIZE(stop_signals)];
	struct event *reload;
	struct runtime *runtime;
	struct rpc *rpc;
	struct rpc *read_only;     /* NULL: none is configured */
	struct watchdog *watchdog; /* NULL: no service manager asks for it */
};

static void print_faults(const char *path, const struct config_errors *errors)
{
	char total[CONFIG_TOTAL_SIZE];

	for (unsigned i = 0; i < MIN(errors->count, CONFIG_ERROR_MAX); i++)
		fprintf(stderr, "%s\n", errors->lines[i]);
	if (config_errors_total(errors, total))
		fprintf(stderr, "%s: %s\n", path, total);
}

/* Reads the configuration for the start or --check: faults go to stderr as they are. */
static int load(const char *path, struct model *model, char digest[SAVED_DIGEST_SIZE])
{
	struct config_errors errors;
	int rc = config_load(path, model, digest, &errors);

	print_faults(path, &errors);
	config_errors_fini(&errors);
	return rc;
}

static int check(const char *path)
{
	struct model model;

	if (load(path, &model, NULL) < 0)
		return EXIT_FAILURE;
	printf("%s: correct: networks: %u, ports: %u, routers: %u\n", path, model.network_count,
		model_written_ports(&model), model.router_count);
	model_fini(&model);
	return EXIT_SUCCESS;
}

static void on_stop(evutil_socket_t number, short what, void *argument)
{
	struct daemon *daemon = argument;

	log_info("stopping (%s)", strsignal((int)number));
	event_base_loopbreak(daemon->base);
}

static void reload(struct daemon *daemon)
{
	const char *path = daemon->options.config;
	char digest[SAVED_DIGEST_SIZE];
	struct config_errors errors;
	struct model model;
	struct error error;
	int changes;

	if (config_load(path, &model, digest, &errors) < 0) {
		for (unsigned i = 0; i < MIN(errors.count, CONFIG_ERROR_MAX); i++)
			log_error("%s", errors.lines[i]);
		log_error("configuration not changed: errors in %s: %u", path, errors.count);
	} else {
		changes = runtime_apply(daemon->runtime, &model, path, APPLY_SAFELY, &error);
		if (changes < 0) {
			log_error("%s", error.text);
			log_error("configuration not changed");
			model_fini(&model);
		} else {
			by_hand_note_file(daemon->runtime, path, digest);
			if (changes > 0)
				log_info("configuration %s applied: changes: %d", path, changes);
			else if (daemon->runtime->mended)
				log_info("configuration %s applied: nothing has changed in it, but "
					 "was put right at ports: %u",
					path, daemon->runtime->mended);
			else
				log_info("configuration %s applied: nothing has changed", path);
		}
	}
	config_errors_fini(&errors);
}

/* A control socket that was removed by hand comes back, as those of the ports do. rpc: NULL is
 * accepted. */
static void renew_control(struct rpc *rpc)
{
	struct error error;
	int status = rpc ? rpc_renew(rpc, &error) : 0;

	if (status < 0)
		log_error("%s", error.text);
	else if (status > 0)
		log_warning("a control socket was gone: listening there again");
}

static void on_reload(evutil_socket_t number, short what, void *argument)
{
	struct daemon *daemon = argument;

	notify_reloading();
	reload(daemon);
	renew_control(daemon->rpc);
	renew_control(daemon->read_only);
	notify("READY=1");
}

/* libevent's own complaints: by itself it would write them to stderr, and wait for who reads
 * that. */
static void log_library(int severity, const char *text)
{
	log_limited(severity == EVENT_LOG_ERR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "libevent: %s",
		text);
}

/* Of this process: what it may, and what it must never do. */
static void prepare_process(void)
{
	struct rlimit files;

	event_set_log_callback(log_library);
	umask(0022);
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warning("cannot give up privileges: %s", strerror(errno));
	/* A port takes some ten descriptors, and each region of a guest's memory one. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Beside the full control socket: "control.sock" and "control-ro.sock". */
static int open_read_only(struct daemon *daemon, const char *group, struct error *error)
{
	char path[PATH_MAX];

	control_path_read_only(daemon->options.control, path);
	daemon->read_only = rpc_new(
		daemon->base, daemon->runtime, RPC_READ_ONLY, path, group, error);
	return daemon->read_only ? 0 : -EINVAL;
}

static int watch_signals(struct daemon *daemon)
{
	bool ready = true;

	for (unsigned i = 0; i < ARRAY_SIZE(stop_signals); i++) {
		daemon->stop[i] = evsignal_new(daemon->base, stop_signals[i], on_stop, daemon);
		ready = ready && daemon->stop[i] && event_add(daemon->stop[i], NULL) == 0;
	}
	daemon->reload = evsignal_new(daemon->base, SIGHUP, on_reload, daemon);
	ready = ready && daemon->reload && event_add(daemon->reload, NULL) == 0;
	return ready ? 0 : -ENOMEM;
}

static void stop(struct daemon *daemon)
{
	watchdog_free(daemon->watchdog);
	rpc_free(daemon->read_only);
	rpc_free(daemon->rpc);
	runtime_free(daemon->runtime);
	for (unsigned i = 0; i < ARRAY_SIZE(stop_signals); i++)
		if (daemon->stop[i])
			event_free(daemon->stop[i]);
	if (daemon->reload)
		event_free(daemon->reload);
	if (daemon->base)
		event_base_free(daemon->base);
	libevent_global_shutdown();
}

/* The name by which a reload finds the file, for whoever has another working directory. A link
 * stays one: it may lead elsewhere by then. To be freed; NULL where it cannot be told. */
static char *absolute_name(const char *path)
{
	char folder[PATH_MAX], *name;

	if (*path == '/')
		return strdup(path);
	if (!getcwd(folder, sizeof(folder)) || asprintf(&name, "%s/%s", folder, path) < 0)
		return NULL;
	return name;
}

/* Everything up to the event loop. 0, or -errno with a reason in *error. */
static int start(
	struct daemon *daemon, struct model *model, const char *digest, struct error *error)
{
	const struct model_settings settings = model->settings;
	int rc = rpc_probe(daemon->options.control, error);

	/* Before anything is opened: the other one must not notice. */
	if (rc < 0) {
		error_prefix(error, "another vswd is running");
		return rc;
	}

	daemon->base = event_base_new();
	if (!daemon->base || watch_signals(daemon) < 0)
		return error_set(error, -ENOMEM, "cannot set up the event loop");
	daemon->runtime = runtime_new(daemon->base, &settings, error);
	if (!daemon->runtime)
		return -EINVAL;
	if (loops_start(daemon->runtime) < 0)
		return error_set(error, -ENOMEM, "out of memory");
	rc = runtime_apply(daemon->runtime, model, daemon->options.config, APPLY_SAFELY, error);
	if (rc < 0)
		return rc;
	daemon->runtime->config_file = absolute_name(daemon->options.config);
	by_hand_note_file(daemon->runtime, daemon->options.config, digest);
	daemon->rpc = rpc_new(daemon->base, daemon->runtime, RPC_FULL, daemon->options.control,
		settings.control_group, error);
	if (!daemon->rpc)
		return -EINVAL;
	return *settings.control_ro ? open_read_only(daemon, settings.control_ro, error) : 0;
}

static int run(struct daemon *daemon)
{
	char digest[SAVED_DIGEST_SIZE];
	struct model model;
	struct error error;
	int rc;

	if (load(daemon->options.config, &model, digest) < 0)
		return EXIT_FAILURE;
	prepare_process();
	rc = start(daemon, &model, digest, &error);
	if (rc < 0) {
		log_error("%s", error.text);
		if ((rc == -EACCES || rc == -EPERM) && geteuid() != 0)
			log_error("this is user %u: start vswd with sudo, or choose a 'socket-dir' "
				  "and a --control that this user may make",
				(unsigned)geteuid());
		model_fini(&model);
		stop(daemon);
		return EXIT_FAILURE;
	}
	log_info("ready: workers: %u, networks: %u, ports: %u, control: %s",
		worker_pool_count(daemon->runtime->pool),
		daemon->runtime->state.model.network_count, daemon->runtime->state.model.port_count,
		daemon->options.control);
	notify("READY=1");
	daemon->watchdog = watchdog_new(daemon->base, daemon->runtime->pool);
	event_base_dispatch(daemon->base);
	notify("STOPPING=1");
	stop(daemon);
	log_info("stopped");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct daemon daemon = {0};

	switch (options_parse(&daemon.options, argc, argv)) {
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		return 2;
	case OPTIONS_RUN:
		break;
	}
	log_set_program("vswd");
	log_set_level(daemon.options.level);
	if (daemon.options.check)
		return check(daemon.options.config);
	return run(&daemon);
}
