/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/change.h"

#include <errno.h>

#include "base/log.h"
#include "control/apply.h"
#include "control/judge.h"
#include "control/rpc/json_text.h"
#include "control/yaml/config.h"

static json_t *refuse(struct show_failure *failure, int code, const char *text)
{
	failure->code = code;
	error_set(&failure->error, -EINVAL, "%s", text);
	return NULL;
}

/* The configuration that a request carries: {"file": name, "text": YAML}. 0 or -1, *failure filled. */
static int read_config(
	const json_t *params, struct model *model, const char **file, struct show_failure *failure)
{
	const json_t *text = json_object_get(params, "text");
	struct config_errors errors;
	int rc;

	*file = json_string_value(json_object_get(params, "file"));
	if (!*file || !json_is_string(text)) {
		refuse(failure, SHOW_BAD_PARAMS, "params must be {\"file\": NAME, \"text\": YAML}");
		return -1;
	}
	rc = config_parse(*file, json_string_value(text), json_string_length(text), model, &errors);
	if (rc < 0) {
		failure->code = SHOW_REFUSED;
		error_set(&failure->error, rc, "%s", errors.lines[0] ? errors.lines[0] : "");
		failure->lines = json_array();
		for (unsigned i = 0; i < MIN(errors.count, CONFIG_ERROR_MAX); i++)
			json_array_append_new(failure->lines, json_text(errors.lines[i]));
	}
	config_errors_fini(&errors);
	return rc < 0 ? -1 : 0;
}

static json_t *diff_lines(const struct diff *diff)
{
	json_t *lines = json_array();

	for (unsigned i = 0; i < diff->count; i++)
		json_array_append_new(lines, json_text(diff->actions[i].text));
	return lines;
}

/* Parses, compares, and where `apply` says so carries out. The lines of the difference. */
static json_t *change_config(
	struct runtime *runtime, const json_t *params, struct show_failure *failure, bool apply)
{
	enum apply_how how = json_is_true(json_object_get(params, "force")) ? APPLY_FORCED
									    : APPLY_SAFELY;
	json_t *lines = NULL;
	struct model model;
	struct diff diff;
	const char *file;

	if (read_config(params, &model, &file, failure) < 0)
		return NULL;
	if (diff_new(&diff, &runtime->state.model, &model) < 0 || judge_diff(&diff, runtime) < 0) {
		diff_fini(&diff);
		model_fini(&model);
		return refuse(failure, SHOW_REFUSED, "out of memory");
	}
	lines = diff_lines(&diff);
	diff_fini(&diff);
	if (apply && runtime_apply(runtime, &model, file, how, &failure->error) < 0) {
		failure->code = SHOW_REFUSED;
		json_decref(lines);
		lines = NULL;
	}
	if (apply && lines)
		log_limited(LOG_LEVEL_INFO, "configuration %s applied: changes: %zu", file,
			json_array_size(lines));
	model_fini(&model);
	return lines;
}

json_t *change_diff(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	return change_config(runtime, params, failure, false);
}

json_t *change_apply(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	return change_config(runtime, params, failure, true);
}
