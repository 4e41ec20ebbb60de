/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vsw port args: what a VMM must be told so that its VM is attached to a port. For QEMU and Cloud
 * Hypervisor it is one line, for pasting and for $(vsw port args ...) alike; for libvirt two
 * elements of the domain's XML; for vsw-nic, which is no VMM but stands for one, the whole command.
 * Shared memory is part of it: without, no frame passes.
 *
 * Nothing in the line needs a shell's quotes, since the configuration refuses such names and paths;
 * what else there is to say goes to stderr.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/common.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/qemu_version.h"

/* What the fragments need to know of a port, and of the VMM. */
struct attachment {
	const char *name;
	const char *socket;
	bool vmm_listens; /* the port's mode is "client" */
	unsigned queues;
	unsigned mtu; /* 0: none */
	const char *mac;
	const char *memory;
	const char *network; /* of its untagged frames, or "-" */
	const json_t *ip;    /* the only addresses that may be used: an array, or null */
	struct qemu_version qemu;
	char printed_for[PATH_MAX + 160]; /* "QEMU 7.2 (/usr/bin/qemu-system-x86_64)" */
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

/* One second. reconnect-ms came with 9.2; the older word went with 10.2. */
static const char *qemu_reconnect(const struct qemu_version *version)
{
	return qemu_version_at_least(version, 9, 2) ? ",reconnect-ms=1000" : ",reconnect=1";
}

static void print_qemu(FILE *out, const struct attachment *port)
{
	fprintf(out,
		"-m %s -object memory-backend-memfd,id=mem0,size=%s,share=on "
		"-machine memory-backend=mem0 -chardev socket,id=chr-%s,path=",
		port->memory, port->memory, port->name);
	print_qemu_path(out, port->socket);
	fprintf(out, "%s -netdev vhost-user,id=net-%s,chardev=chr-%s",
		port->vmm_listens ? ",server=on,wait=off" : qemu_reconnect(&port->qemu), port->name,
		port->name);
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

static void print_libvirt(FILE *out, const struct attachment *port)
{
	fprintf(out, "<!-- for %s -->\n", port->printed_for);
	fprintf(out, "<!-- in <domain> -->\n"
		     "<memoryBacking>\n"
		     "  <source type='memfd'/>\n"
		     "  <access mode='shared'/>\n"
		     "</memoryBacking>\n"
		     "<!-- in <devices> -->\n"
		     "<interface type='vhostuser'>\n");
	fprintf(out, "  <mac address='%s'/>\n", port->mac);
	fprintf(out, "  <source type='unix' path='%s' mode='%s'", port->socket,
		port->vmm_listens ? "server" : "client");
	if (port->vmm_listens)
		fprintf(out, "/>\n");
	else
		fprintf(out, ">\n"
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

/* Characters of an interface's name, as the kernel has them. */
#define INTERFACE_NAME_MAX 15

static void print_vsw_nic(FILE *out, const struct attachment *port)
{
	fprintf(out, "vsw-nic --socket %s%s --tap %.*s --mac %s", port->socket,
		port->vmm_listens ? " --server" : "", INTERFACE_NAME_MAX, port->name, port->mac);
	if (port->queues > 1)
		fprintf(out, " --queues %u", port->queues);
	if (port->mtu)
		fprintf(out, " --mtu %u", port->mtu);
	fputc('\n', out);
}

/* The version that was given, else that of the binary that was given, else that of the one that a
 * shell would start, else an assumed one. False after a message. */
static bool choose_qemu(const struct command_line *line, struct attachment *port)
{
	char path[PATH_MAX] = "", reason[sizeof(path) + 64];
	const char *binary = line->qemu;
	struct error error = {""};

	if (line->vmm_version) {
		if (!qemu_version_parse(line->vmm_version, &port->qemu)) {
			fprintf(stderr, "vsw: '%s' is not a version such as 7.2 or 10.2.1\n",
				line->vmm_version);
			return false;
		}
		snprintf(reason, sizeof(reason), "as given");
	} else if (!binary && !qemu_version_find(path)) {
		port->qemu = QEMU_VERSION_OLDEST;
		snprintf(reason, sizeof(reason),
			"assumed: no qemu-system-* in PATH; --vmm-version says it");
	} else if (qemu_version_ask(binary ? binary : path, &port->qemu, &error) == 0) {
		snprintf(reason, sizeof(reason), "%.*s", PATH_MAX, binary ? binary : path);
	} else if (binary) {
		fprintf(stderr, "vsw: %s\n", error.text);
		return false;
	} else {
		port->qemu = QEMU_VERSION_OLDEST;
		snprintf(reason, sizeof(reason), "assumed: %.*s; --vmm-version says it",
			PATH_MAX - 1, error.text);
	}
	snprintf(port->printed_for, sizeof(port->printed_for), "QEMU %u.%u (%s)%s",
		port->qemu.major, port->qemu.minor, reason,
		qemu_version_at_least(
			&port->qemu, QEMU_VERSION_OLDEST.major, QEMU_VERSION_OLDEST.minor)
			? ""
			: ", which is older than any that is tested");
	return true;
}

static bool choose_libvirt(const struct command_line *line, struct attachment *port)
{
	snprintf(port->printed_for, sizeof(port->printed_for),
		"libvirt, which finds the words for its QEMU itself; tested with 9.0");
	return true;
}

static bool choose_cloud_hypervisor(const struct command_line *line, struct attachment *port)
{
	if (strchr(port->socket, ',')) {
		fprintf(stderr,
			"vsw: the path %s holds a comma, which ends a value for Cloud "
			"Hypervisor; set 'socket' to another one\n",
			port->socket);
		return false;
	}
	snprintf(port->printed_for, sizeof(port->printed_for),
		"Cloud Hypervisor, from its documentation; not tested");
	return true;
}

/* "/24" in text[size], of the subnet that the port's network has; "/LENGTH" where it has none. */
static void format_length(const struct command_line *line, const struct attachment *port,
	const char *key, char *text, size_t size)
{
	json_t *networks = client_call(line->control, "network.show", NULL);
	const json_t *network;
	size_t i;

	snprintf(text, size, "/LENGTH");
	json_array_foreach (networks, i, network) {
		const char *slash = strchr(command_text(network, key), '/');

		if (slash && strcmp(command_text(network, "name"), port->network) == 0)
			snprintf(text, size, "%s", slash);
	}
	json_decref(networks);
}

/* Its interface still needs an address; one that the port allows, where it does not allow all. */
static bool choose_vsw_nic(const struct command_line *line, struct attachment *port)
{
	const char *first = json_string_value(json_array_get(port->ip, 0));
	char length[16] = "";

	if (!first || !strchr(first, '/'))
		format_length(line, port, first && strchr(first, ':') ? "subnet6" : "subnet",
			length, sizeof(length));
	snprintf(port->printed_for, sizeof(port->printed_for),
		"vsw-nic; then: ip address add %s%s dev %.*s; ip link set %.*s up",
		first ? first : "ADDRESS", length, INTERFACE_NAME_MAX, port->name,
		INTERFACE_NAME_MAX, port->name);
	return true;
}

static const struct {
	const char *name;
	/* Fills what depends on the VMM; false, after a message, where it cannot be attached. */
	bool (*choose)(const struct command_line *line, struct attachment *port);
	void (*print)(FILE *out, const struct attachment *port);
	bool has_versions;  /* what it is told differs by version */
	bool says_itself;   /* the words tell for which version they are */
	bool has_no_memory; /* of a size that is chosen here */
} vmms[] = {
	{.name = "qemu", .choose = choose_qemu, .print = print_qemu, .has_versions = true},
	{.name = "libvirt", .choose = choose_libvirt, .print = print_libvirt, .says_itself = true},
	{.name = "cloud-hypervisor",
		.choose = choose_cloud_hypervisor,
		.print = print_cloud_hypervisor},
	{.name = "vsw-nic",
		.choose = choose_vsw_nic,
		.print = print_vsw_nic,
		.has_no_memory = true},
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
	if (!line->json) {
		if (!vmms[vmm].says_itself)
			fprintf(stderr, "vsw: for %s\n", port->printed_for);
		return COMMAND_DONE;
	}
	fclose(out);
	result = json_pack("{s:s, s:s, s:s, s:s}", "port", port->name, "vmm", vmms[vmm].name, "for",
		port->printed_for, "text", text);
	command_print_json(result);
	json_decref(result);
	free(text);
	return COMMAND_DONE;
}

/* Attaches the port that the daemon told of. */
static int print_port(const struct command_line *line, const json_t *port, unsigned vmm)
{
	struct attachment attachment = {
		.name = command_text(port, "name"),
		.socket = command_text(port, "socket"),
		.vmm_listens = strcmp(command_text(port, "mode"), "client") == 0,
		.queues = (unsigned)command_number(port, "queues"),
		.mtu = (unsigned)command_number(port, "mtu"),
		.mac = command_text(port, "vm_mac"),
		.memory = line->memory,
		.network = command_text(port, "network"),
		.ip = json_object_get(port, "ip"),
	};

	if (strcmp(command_text(port, "type"), "vhost-user") != 0) {
		fprintf(stderr, "vsw: port '%s' is of type %s: no VMM attaches to it\n",
			attachment.name, command_text(port, "type"));
		return COMMAND_REFUSED;
	}
	if (!vmms[vmm].choose(line, &attachment))
		return COMMAND_REFUSED;
	return print_fragment(line, &attachment, vmm);
}

int command_port_args(const struct command_line *line)
{
	json_t *result;
	unsigned vmm = 0;
	int status;

	while (vmm < ARRAY_SIZE(vmms) && strcmp(vmms[vmm].name, line->vmm) != 0)
		vmm++;
	if (vmm == ARRAY_SIZE(vmms)) {
		fprintf(stderr, "vsw: '%s' is not qemu, libvirt, cloud-hypervisor or vsw-nic\n",
			line->vmm);
		return COMMAND_WRONG;
	}
	if (!memory_valid(line->memory)) {
		fprintf(stderr, "vsw: '%s' is not a size such as 512M or 1G\n", line->memory);
		return COMMAND_WRONG;
	}
	if (!vmms[vmm].has_versions && (line->qemu || line->vmm_version)) {
		fprintf(stderr, "vsw: --qemu and --vmm-version are for --vmm qemu only\n");
		return COMMAND_WRONG;
	}
	if (vmms[vmm].has_no_memory && line->given & COMMAND_MEMORY) {
		fprintf(stderr, "vsw: --memory is for VMs, not for --vmm %s\n", line->vmm);
		return COMMAND_WRONG;
	}
	result = client_call(
		line->control, "port.show", json_pack("{s:s}", "name", line->argument));
	if (!result)
		return COMMAND_REFUSED;
	status = print_port(line, json_array_get(result, 0), vmm);
	json_decref(result);
	return status;
}
