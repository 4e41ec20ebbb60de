/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/apply.h"
#include "control/by_hand.h"
#include "control/judge.h"
#include "control/rpc/json_text.h"
#include "control/yaml/config.h"
#include "control/yaml/edit.h"

static json_t *refuse(struct show_failure *failure, int code, const char *text)
{
	failure->code = code;
	error_set(&failure->error, -EINVAL, "%s", text);
	return NULL;
}

/* What the reader said becomes the reason of a refusal. 0 or -1. */
static int take_errors(int rc, struct config_errors *errors, struct show_failure *failure)
{
	char total[CONFIG_TOTAL_SIZE];

	if (rc < 0) {
		failure->code = SHOW_REFUSED;
		error_set(&failure->error, rc, "%s", errors->lines[0] ? errors->lines[0] : "");
		failure->lines = json_array();
		for (unsigned i = 0; i < MIN(errors->count, CONFIG_ERROR_MAX); i++)
			json_array_append_new(failure->lines,
				json_text(errors->lines[i] ? errors->lines[i] : ""));
		if (config_errors_total(errors, total))
			json_array_append_new(failure->lines, json_text(total));
	}
	config_errors_fini(errors);
	return rc < 0 ? -1 : 0;
}

/* The configuration that a request carries: {"file": name, "text": YAML}. 0 or -1, *failure
 * filled. */
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
	return take_errors(rc, &errors, failure);
}

static json_t *diff_lines(const struct diff *diff)
{
	json_t *lines = json_array();

	for (unsigned i = 0; i < diff->count; i++)
		json_array_append_new(lines, json_text(diff->actions[i].text));
	return lines;
}

/* Compares, and where `apply` says so carries out. source: the file; NULL: by hand. The lines of
 * the difference. */
static json_t *change_model(struct runtime *runtime, struct model *model, const char *source,
	enum apply_how how, bool apply, struct show_failure *failure)
{
	bool by_hand = how == APPLY_BY_HAND || how == APPLY_BY_HAND_FORCED;
	json_t *lines = NULL;
	struct diff diff;

	if (diff_new(&diff, &runtime->state.model, model) < 0 || judge_diff(&diff, runtime) < 0 ||
		(!by_hand && by_hand_mark(&diff, runtime) < 0)) {
		diff_fini(&diff);
		return refuse(failure, SHOW_REFUSED, "out of memory");
	}
	lines = diff_lines(&diff);
	diff_fini(&diff);
	if (apply && runtime_apply(runtime, model, source, how, &failure->error) < 0) {
		failure->code = SHOW_REFUSED;
		json_decref(lines);
		lines = NULL;
	}
	return lines;
}

static json_t *change_config(
	struct runtime *runtime, const json_t *params, struct show_failure *failure, bool apply)
{
	bool force = json_is_true(json_object_get(params, "force"));
	bool own = json_is_true(json_object_get(params, "own"));
	const json_t *text = json_object_get(params, "text");
	const char *path = json_string_value(json_object_get(params, "path"));
	char digest[SAVED_DIGEST_SIZE];
	json_t *lines = NULL;
	struct model model;
	const char *file;

	if (read_config(params, &model, &file, failure) < 0)
		return NULL;
	lines = change_model(
		runtime, &model, file, force ? APPLY_FORCED : APPLY_SAFELY, apply, failure);
	if (apply && lines) {
		saved_digest(json_string_value(text), json_string_length(text), digest);
		by_hand_note_file(runtime, path ? path : file, own ? digest : NULL);
		log_info("configuration %s applied: changes: %zu", file, json_array_size(lines));
	}
	model_fini(&model);
	return lines;
}

/* The verb and object of an edit; false where they are none. */
static bool read_edit(const json_t *params, struct config_edit *edit)
{
	static const char *const verbs[] = {
		[CONFIG_ADD] = "add", [CONFIG_SET] = "set", [CONFIG_DELETE] = "del"};
	const char *verb = json_string_value(json_object_get(params, "verb"));
	const json_t *keys = json_object_get(params, "keys");
	unsigned i = 0;

	edit->object = json_string_value(json_object_get(params, "object"));
	edit->name = json_string_value(json_object_get(params, "name"));
	while (verb && i < ARRAY_SIZE(verbs) && strcmp(verbs[i], verb) != 0)
		i++;
	edit->verb = (enum config_verb)i;
	return verb && i < ARRAY_SIZE(verbs) && edit->name && edit->object &&
	       (strcmp(edit->object, "port") == 0 || strcmp(edit->object, "network") == 0 ||
		       strcmp(edit->object, "router") == 0) &&
	       (!keys || json_is_object(keys));
}

json_t *change_edit(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	bool force = json_is_true(json_object_get(params, "force"));
	struct config_word words[MODEL_PORT_KEY_MAX];
	struct config_edit edit = {.words = words};
	json_t *keys = json_object_get(params, "keys");
	struct config_errors errors;
	json_t *lines, *value;
	struct model model;
	const char *key;

	if (!read_edit(params, &edit))
		return refuse(failure, SHOW_BAD_PARAMS,
			"params must be {\"object\": \"port\", \"network\" or \"router\", "
			"\"verb\": \"add\", \"set\" "
			"or \"del\", \"name\": NAME, \"keys\": {KEY: TEXT, ...}}");
	json_object_foreach (keys, key, value) {
		if (!json_is_string(value) || edit.word_count == ARRAY_SIZE(words))
			return refuse(failure, SHOW_BAD_PARAMS, "keys: too many, or not all text");
		words[edit.word_count++] = (struct config_word){key, json_string_value(value)};
	}
	if (take_errors(config_edit(&runtime->state.model, &edit, &model, &errors), &errors,
		    failure) < 0)
		return NULL;
	lines = change_model(
		runtime, &model, NULL, force ? APPLY_BY_HAND_FORCED : APPLY_BY_HAND, true, failure);
	model_fini(&model);
	return lines;
}

json_t *change_saved(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	const char *text = json_string_value(json_object_get(params, "text"));
	char *running = config_format(&runtime->state.model, CONFIG_BRIEF);
	char *saved = running ? saved_text(running) : NULL;
	bool same = text && saved && strcmp(text, saved) == 0;
	char digest[SAVED_DIGEST_SIZE];

	free(running);
	free(saved);
	if (!same)
		return refuse(failure, SHOW_REFUSED,
			"the configuration has changed meanwhile: the file has what it was before");
	saved_digest(text, strlen(text), digest);
	by_hand_settle(runtime);
	by_hand_note_file(runtime, runtime->config_file, digest);
	log_info("configuration saved to the file %s",
		runtime->config_file ? runtime->config_file : "");
	return json_true();
}

json_t *change_diff(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	return change_config(runtime, params, failure, false);
}

json_t *change_apply(struct runtime *runtime, const json_t *params, struct show_failure *failure)
{
	return change_config(runtime, params, failure, true);
}
