/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "base/spelling.h"
#include "cli/client.h"
#include "cli/filter.h"

/* Of all kinds of ports; vsw(8) says what they mean. */
static const char *const states[] = {
	"running", "connected", "no-memory", "down", "away", "refused", "broken"};

static int check_state(const char *state)
{
	const char *meant = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		if (strcmp(states[i], state) == 0)
			return COMMAND_DONE;
		spelling_consider(state, states[i], &meant);
	}
	fprintf(stderr, "vsw: --state: no port is ever '%s'", state);
	if (meant)
		fprintf(stderr, ": did you mean '%s'?\n", meant);
	for (unsigned i = 0; i < ARRAY_SIZE(states) && !meant; i++)
		fprintf(stderr, "%s%s", i ? ", " : "; states: ", states[i]);
	fputs(meant ? "" : "\n", stderr);
	return COMMAND_WRONG;
}

/* method: of the list whose members have this name. */
static int check_name(
	const struct command_line *line, const char *method, const char *what, const char *name)
{
	json_t *list = client_call(line->control, method, NULL);
	const char *meant = NULL;
	const json_t *entry;
	bool found = false;
	size_t i;

	if (!list)
		return COMMAND_REFUSED;
	json_array_foreach (list, i, entry) {
		found |= strcmp(command_text(entry, "name"), name) == 0;
		spelling_consider(name, command_text(entry, "name"), &meant);
	}
	if (!found)
		fprintf(stderr, "vsw: no %s '%s'%s%s%s\n", what, name,
			meant ? ": did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	json_decref(list);
	return found ? COMMAND_DONE : COMMAND_REFUSED;
}

int filter_check(const struct command_line *line)
{
	int status = line->state ? check_state(line->state) : COMMAND_DONE;

	if (status == COMMAND_DONE && line->port)
		status = check_name(line, "port.show", "port", line->port);
	if (status == COMMAND_DONE && line->network)
		status = check_name(line, "network.show", "network", line->network);
	return status;
}
