/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of the control socket: a switch of two ports, one access and one trunk, in a folder
 * of its own, and a way to ask it. begin_switch() and end_switch() enclose each group.
 */
#ifndef VSW_CONTROL_RPC_TEST_SWITCH_H
#define VSW_CONTROL_RPC_TEST_SWITCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "control/apply.h"
#include "control/rpc/rpc.h"
#include "control/yaml/config.h"

static char folder[] = "/tmp/rpc_test.XXXXXX";
static struct event_base *base;
static struct runtime *runtime;

static inline int begin_switch(void)
{
	struct config_errors errors;
	struct model model;
	struct error error;
	char text[512];

	log_set_level(LOG_LEVEL_ERROR);
	strcpy(folder, "/tmp/rpc_test.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(text, sizeof(text),
		"switch: { socket-dir: %s, workers: 1 }\n"
		"networks: { blue: { vlan: 10 }, plain: {} }\n"
		"ports:\n  a: { type: vhost-user, network: blue, mac: 52:54:00:00:00:01 }\n"
		"  t: { type: vhost-user, trunk: [blue], native: plain, queues: 2, "
		"owner: %s,\n       group: %s, socket-mode: '0600', memory-limit-gib: 3 }\n",
		folder, getpwuid(geteuid())->pw_name, getgrgid(getegid())->gr_name);
	if (config_parse("f.yaml", text, strlen(text), &model, &errors) < 0)
		return -1;
	base = event_base_new();
	runtime = runtime_new(base, &model.settings, &error);
	if (!runtime || runtime_apply(runtime, &model, "f.yaml", APPLY_SAFELY, &error) < 0)
		return -1;
	return 0;
}

static inline int end_switch(void)
{
	runtime_free(runtime);
	event_base_free(base);
	return rmdir(folder); /* fails where a socket is left */
}

/* params: JSON. */
static inline json_t *ask_with(const char *method, const char *params)
{
	char request[256];
	json_t *reply, *result;
	char *text;

	snprintf(request, sizeof(request),
		"{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s,\"id\":1}", method, params);
	text = rpc_answer(runtime, RPC_FULL, NULL, request, strlen(request));
	reply = json_loads(text, 0, NULL);
	result = json_incref(json_object_get(reply, "result"));
	json_decref(reply);
	free(text);
	return result;
}

static inline json_t *ask(const char *method)
{
	return ask_with(method, "{}");
}

#endif
