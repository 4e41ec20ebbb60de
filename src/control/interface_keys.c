/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/interface_keys.h"

#include <errno.h>
#include <string.h>

#include "host/place.h"

/* What the kernel takes for an interface's name, but '%', which is a place for a number to it. */
const char *interface_check_name(const char *text)
{
	size_t length = strlen(text);

	if (!length || length >= MODEL_IFNAME_SIZE)
		return "is not the name of an interface: 1 to 15 characters";
	if (strcspn(text, "%/: ") != length || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return "is not the name of an interface: no '%', '/', ':' or space";
	return NULL;
}

const char *interface_check_netns(const char *text)
{
	if (!*text || (strchr(text, '/') && *text != '/') || strcmp(text, ".") == 0 ||
		strcmp(text, "..") == 0)
		return "is not the name of a network namespace, or a path that begins with '/'";
	return NULL;
}

void interface_complete(
	const struct model_port *port, char *ifname, const struct model_check *check)
{
	const char *fault = interface_check_name(port->name);
	struct error error;

	if (check->given(check->owner, "ifname"))
		return;
	if (!fault) {
		strcpy(ifname, port->name);
		return;
	}
	error_set(&error, -EINVAL, "the port's name '%s' %s; set 'ifname'", port->name, fault);
	check->fault(check->owner, NULL, &error);
}

void interface_describe(const char *ifname, const char *netns, FILE *out)
{
	fprintf(out, "interface %s", ifname);
	if (*netns)
		fprintf(out, " in netns %s", netns);
}

void interface_claim(struct claims *claims, const char *ifname, const char *netns)
{
	char place[HOST_PLACE_SIZE];

	/* A name that was refused is none. */
	if (!*ifname)
		return;
	host_netns_place(netns, place);
	claims_add(claims, "interface", "ifname", "%s in %s", ifname, place);
}
