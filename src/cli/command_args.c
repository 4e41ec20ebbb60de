/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsw port args: what a VMM must be told so that its VM is attached to a port. For QEMU and Cloud
 * Hypervisor it is one line, for pasting and for $(vsw port args ...) alike; for libvirt two
 * elements of the domain's XML. Shared memory is part of it: without, no frame passes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cli/client.h"
#include "cli/command.h"

/* What the fragments need to know of a port. */
struct attachment {
	const char *name;
	const char *socket;
	bool vmm_listens; /* the port's mode is "client" */
	unsigned queues;
	unsigned mtu; /* 0: none */
	const char *mac;
	const char *memory;
};

/* The text with each comma doubled, as QEMU's option lists want it. */
static void print_qemu_path(FILE *out, const char *path)
{
	for (; *path; path++) {
		fputc(*path, out);
		if (*path == ',')
			fputc(',', out);
	}
}

static void print_qemu(FILE *out, const struct attachment *port)
{
	fprintf(out,
		"-m %s -object memory-backend-memfd,id=mem0,size=%s,share=on "
		"-machine memory-backend=mem0 -chardev socket,id=chr-%s,path=",
		port->memory, port->memory, port->name);
	print_qemu_path(out, port->socket);
	fprintf(out, "%s -netdev vhost-user,id=net-%s,chardev=chr-%s",
		port->vmm_listens ? ",server=on,wait=off" : ",reconnect=1", port->name, port->name);
	if (port->queues > 1)
		fprintf(out, ",queues=%u", port->queues);
	fprintf(out, " -device virtio-net-pci,netdev=net-%s", port->name);
	/* An interrupt for each queue, one for the control queue, one for the configuration. */
	if (port->queues > 1)
		fprintf(out, ",mq=on,vectors=%u", 2 * port->queues + 2);
	fprintf(out, ",mac=%s", port->mac);
	if (port->mtu)
		fprintf(out, ",host_mtu=%u", port->mtu);
	fputc('\n', out);
}

static void print_xml_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '\'')
			fputs("&apos;", out);
		else
			fputc(*text, out);
	}
}

static void print_libvirt(FILE *out, const struct attachment *port)
{
	fprintf(out, "<!-- in <domain> -->\n"
		     "<memoryBacking>\n"
		     "  <source type='memfd'/>\n"
		     "  <access mode='shared'/>\n"
		     "</memoryBacking>\n"
		     "<!-- in <devices> -->\n"
		     "<interface type='vhostuser'>\n");
	fprintf(out, "  <mac address='%s'/>\n", port->mac);
	fprintf(out, "  <source type='unix' path='");
	print_xml_text(out, port->socket);
	if (port->vmm_listens)
		fprintf(out, "' mode='server'/>\n");
	else
		fprintf(out, "' mode='client'>\n"
			     "    <reconnect enabled='yes' timeout='1'/>\n"
			     "  </source>\n");
	fprintf(out, "  <model type='virtio'/>\n");
	if (port->queues > 1)
		fprintf(out, "  <driver queues='%u'/>\n", port->queues);
	if (port->mtu)
		fprintf(out, "  <mtu size='%u'/>\n", port->mtu);
	fprintf(out, "</interface>\n");
}

/* Its num_queues counts rings, of which a pair has two. */
static void print_cloud_hypervisor(FILE *out, const struct attachment *port)
{
	fprintf(out,
		"--memory size=%s,shared=on --net vhost_user=true,socket=%s,num_queues=%u,"
		"vhost_mode=%s",
		port->memory, port->socket, 2 * port->queues,
		port->vmm_listens ? "server" : "client");
	fprintf(out, ",mac=%s", port->mac);
	if (port->mtu)
		fprintf(out, ",mtu=%u", port->mtu);
	fputc('\n', out);
}

static const struct {
	const char *name;
	void (*print)(FILE *out, const struct attachment *port);
} vmms[] = {
	{"qemu", print_qemu},
	{"libvirt", print_libvirt},
	{"cloud-hypervisor", print_cloud_hypervisor},
};

/* "512M", "1G": digits and a unit. */
static bool memory_valid(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && text[0] != '0' && text[digits] && strchr("MGT", text[digits]) &&
	       !text[digits + 1];
}

static int print_fragment(
	const struct command_line *line, const struct attachment *port, unsigned vmm)
{
	char *text = NULL;
	size_t length;
	FILE *out = line->json ? open_memstream(&text, &length) : stdout;
	json_t *result;

	if (!out)
		return COMMAND_REFUSED;
	vmms[vmm].print(out, port);
	if (!line->json)
		return COMMAND_DONE;
	fclose(out);
	result = json_pack(
		"{s:s, s:s, s:s}", "port", port->name, "vmm", vmms[vmm].name, "text", text);
	command_print_json(result);
	json_decref(result);
	free(text);
	return COMMAND_DONE;
}

int command_port_args(const struct command_line *line)
{
	json_t *result;
	const json_t *port;
	unsigned vmm = 0;
	int status;

	while (vmm < ARRAY_SIZE(vmms) && strcmp(vmms[vmm].name, line->vmm) != 0)
		vmm++;
	if (vmm == ARRAY_SIZE(vmms)) {
		fprintf(stderr, "vsw: '%s' is not qemu, libvirt or cloud-hypervisor\n", line->vmm);
		return COMMAND_WRONG;
	}
	if (!memory_valid(line->memory)) {
		fprintf(stderr, "vsw: '%s' is not a size such as 512M or 1G\n", line->memory);
		return COMMAND_WRONG;
	}
	result = client_call(
		line->control, "port.show", json_pack("{s:s}", "name", line->argument));
	if (!result)
		return COMMAND_REFUSED;
	port = json_array_get(result, 0);
	status = print_fragment(line,
		&(struct attachment){
			.name = command_text(port, "name"),
			.socket = command_text(port, "socket"),
			.vmm_listens = strcmp(command_text(port, "mode"), "client") == 0,
			.queues = (unsigned)command_number(port, "queues"),
			.mtu = (unsigned)command_number(port, "mtu"),
			.mac = command_text(port, "vm_mac"),
			.memory = line->memory,
		},
		vmm);
	json_decref(result);
	return status;
}
