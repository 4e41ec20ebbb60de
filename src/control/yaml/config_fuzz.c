/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as a configuration: no crash, a reason for each refusal, and what is accepted survives
 * being written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/diff.h"
#include "control/yaml/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_round_trip(const struct model *model, enum config_wording wording)
{
	char *text = config_format(model, wording);
	struct config_errors errors;
	struct model again;
	struct diff diff;

	check(text);
	check(config_parse("again", text, strlen(text), &again, &errors) == 0);
	check(diff_new(&diff, model, &again) == 0);
	check(diff.count == 0);
	diff_fini(&diff);
	model_fini(&again);
	config_errors_fini(&errors);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors;
	struct model model;
	int rc = config_parse("fuzz", (const char *)data, size, &model, &errors);

	check((rc == 0) == (errors.count == 0));
	if (rc == 0) {
		check_round_trip(&model, CONFIG_FULL);
		check_round_trip(&model, CONFIG_BRIEF);
	} else
		check(errors.lines[0] && strlen(errors.lines[0]) > 0);
	config_errors_fini(&errors);
	model_fini(&model);
	return 0;
}
