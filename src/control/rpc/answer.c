/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc/control_path.h"
#include "control/rpc/json_text.h"
#include "control/rpc/show.h"

#define RPC_PARSE_ERROR     (-32700)
#define RPC_INVALID_REQUEST (-32600)
#define RPC_NO_METHOD       (-32601)
#define RPC_INTERNAL_ERROR  (-32603)

/* Faults of one file that the log has, too: the whole list is the client's. */
#define REFUSAL_LINES_MAX 5

static json_t *make_error(int code, const char *text, json_t *data)
{
	json_t *error = json_pack("{s:i, s:o}", "code", code, "message", json_text(text));

	if (data)
		json_object_set(error, "data", data);
	return error;
}

/* What somebody wanted to change and may not is a record, as what was changed is. */
static void log_refusal(
	struct log_limit *limit, const char *name, const json_t *params, struct show_failure *why)
{
	static const char *const words[] = {"verb", "object", "name", "file"};
	char what[256] = "";

	if (limit && !log_limit_allows(limit))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		const char *word = json_string_value(json_object_get(params, words[i]));
		size_t used = strlen(what);

		if (word)
			snprintf(what + used, sizeof(what) - used, " %.64s", word);
	}
	log_info("control: refused: %s%s: %s", name, what, why->error.text);
	/* The first line is the reason of the whole. */
	for (size_t i = 1; i < MIN(json_array_size(why->lines), REFUSAL_LINES_MAX); i++)
		log_info("control: refused: %s", json_string_value(json_array_get(why->lines, i)));
}

/* Carries out a well-formed request. Its result, or NULL with *error (a new reference). */
static json_t *call(struct runtime *runtime, enum rpc_role role, struct log_limit *refusals,
	const char *name, const json_t *params, json_t **error)
{
	const struct show_method *method = show_find(name);
	struct show_failure failure = {.code = SHOW_REFUSED};
	json_t *result;

	if (!method) {
		*error = make_error(RPC_NO_METHOD, "no such method", NULL);
		return NULL;
	}
	if (role == RPC_READ_ONLY && method->changes) {
		*error = make_error(CONTROL_ONLY_SHOWS,
			"this control socket only shows: ask the full one for changes", NULL);
		return NULL;
	}
	result = method->call(runtime, params, &failure);
	if (!result && method->logged)
		log_refusal(refusals, name, params, &failure);
	if (!result)
		*error = make_error(failure.code, failure.error.text, failure.lines);
	json_decref(failure.lines);
	return result;
}

/* A reply object, or NULL for a notification. */
static json_t *answer_request(struct runtime *runtime, enum rpc_role role,
	struct log_limit *refusals, const json_t *request)
{
	const json_t *params = json_object_get(request, "params");
	const json_t *version = json_object_get(request, "jsonrpc");
	const json_t *method = json_object_get(request, "method");
	json_t *id = json_object_get(request, "id");
	bool valid_id = !id || json_is_string(id) || json_is_number(id) || json_is_null(id);
	json_t *error = NULL;
	json_t *result = NULL;
	json_t *reply;

	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0 ||
		!json_is_string(method) || !valid_id) {
		error = make_error(RPC_INVALID_REQUEST, "not a JSON-RPC 2.0 request", NULL);
		id = valid_id && id ? id : json_null();
	} else if (params && !json_is_object(params)) {
		error = make_error(SHOW_BAD_PARAMS, "params must be an object", NULL);
	} else {
		result = call(runtime, role, refusals, json_string_value(method), params, &error);
	}
	if (!id) {
		json_decref(result);
		json_decref(error);
		return NULL;
	}
	if (!result && !error)
		error = make_error(RPC_INTERNAL_ERROR, "no memory for the answer", NULL);
	reply = json_pack("{s:s, s:O}", "jsonrpc", "2.0", "id", id);
	json_object_set_new(reply, error ? "error" : "result", error ? error : result);
	return reply;
}

char *rpc_answer(struct runtime *runtime, enum rpc_role role, struct log_limit *refusals,
	const char *line, size_t length)
{
	json_error_t fault;
	json_t *request = json_loadb(line, length, JSON_REJECT_DUPLICATES, &fault);
	json_t *reply = NULL;
	char *text = NULL;
	char *with_newline = NULL;

	if (!request)
		reply = json_pack("{s:s, s:n, s:o}", "jsonrpc", "2.0", "id", "error",
			make_error(RPC_PARSE_ERROR, fault.text, NULL));
	else
		reply = answer_request(runtime, role, refusals, request);
	if (reply)
		text = json_dumps(reply, JSON_COMPACT);
	if (text && asprintf(&with_newline, "%s\n", text) < 0)
		with_newline = NULL;
	free(text);
	json_decref(reply);
	json_decref(request);
	return with_newline;
}
