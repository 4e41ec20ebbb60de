/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/test_apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/yaml/config.h"

char test_folder[32];
struct runtime *test_runtime;
static struct event_base *base;

int test_apply_setup(void **state)
{
	struct model_settings settings;
	struct error error;
	struct model model;

	log_set_level(LOG_LEVEL_ERROR);
	model_init(&model);
	settings = model.settings;
	model_fini(&model);
	settings.workers = 1;
	strcpy(test_folder, "/tmp/apply_test.XXXXXX");
	if (!mkdtemp(test_folder))
		return -1;
	snprintf(settings.socket_dir, sizeof(settings.socket_dir), "%s/s", test_folder);
	base = event_base_new();
	test_runtime = runtime_new(base, &settings, &error);
	return test_runtime ? 0 : -1;
}

int test_apply_teardown(void **state)
{
	char path[128];

	runtime_free(test_runtime);
	event_base_free(base);
	snprintf(path, sizeof(path), "%s/s", test_folder);
	/* Both fail where anything was left behind. */
	if (rmdir(path) < 0 && errno != ENOENT)
		return -1;
	return rmdir(test_folder);
}

int test_apply(const char *text, enum apply_how how, struct error *error)
{
	struct config_errors errors;
	struct model model;
	char whole[4096];
	int rc;

	snprintf(whole, sizeof(whole), "switch: { socket-dir: %s/s, workers: 1 }\n%s", test_folder,
		text);
	if (config_parse("f.yaml", whole, strlen(whole), &model, &errors) < 0)
		fail_msg("%s", errors.lines[0]);
	config_errors_fini(&errors);
	rc = runtime_apply(test_runtime, &model, "f.yaml", how, error);
	/* The model is taken where it holds now, and only then. */
	assert_int_equal(model.port_count > 0 || model.network_count > 0, rc < 0);
	model_fini(&model);
	return rc;
}

const struct runtime_port *test_entry(const char *name)
{
	int i = runtime_find_port(&test_runtime->state, name);

	return i < 0 ? NULL : &test_runtime->state.ports[i];
}
