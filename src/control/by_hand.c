/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/by_hand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static bool is_about(const struct diff *by_hand, const struct diff_action *action)
{
	for (unsigned i = 0; i < by_hand->count; i++)
		if (by_hand->actions[i].object == action->object &&
			strcmp(by_hand->actions[i].name, action->name) == 0)
			return true;
	return false;
}

int by_hand_mark(struct diff *diff, const struct runtime *runtime)
{
	struct diff by_hand;
	int marked = 0;

	if (!runtime->has_filed)
		return 0;
	if (diff_new(&by_hand, &runtime->filed, &runtime->state.model) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < diff->count && by_hand.count && marked >= 0; i++) {
		if (!is_about(&by_hand, &diff->actions[i]))
			continue;
		marked = diff_undoes(diff, i) < 0 ? -ENOMEM : marked + 1;
	}
	diff_fini(&by_hand);
	return marked;
}

void by_hand_settle(struct runtime *runtime)
{
	model_fini(&runtime->filed);
	runtime->has_filed = model_copy(&runtime->filed, &runtime->state.model) == 0;
	if (!runtime->has_filed)
		log_error("out of memory: what is changed by hand will not be told from the file");
}

void by_hand_note_file(struct runtime *runtime, const char *file, const char *digest)
{
	free(runtime->config_applied);
	runtime->config_applied = digest ? NULL : strdup(file);
	if (digest)
		snprintf(runtime->config_digest, sizeof(runtime->config_digest), "%s", digest);
}

unsigned by_hand_count(const struct runtime *runtime)
{
	struct diff diff;
	unsigned count;

	if (!runtime->has_filed || diff_new(&diff, &runtime->filed, &runtime->state.model) < 0)
		return 0;
	count = diff.count;
	diff_fini(&diff);
	return count;
}
