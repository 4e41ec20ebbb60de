/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The desired state: what the operator asked for, as passive data. The configuration file fills a
 * model, diff.h compares two of them, apply.h makes the running switch equal to one. A model holds
 * no descriptor, no index and no pointer into the running switch, so it may be copied, compared,
 * printed and thrown away at will.
 *
 * A model that config.h has accepted is consistent: names are unique and sorted, every network that
 * a port names exists, no VLAN id, socket path or (in one network) MAC address is used twice.
 *
 * Any thread; the caller owns what it holds. Sizes are bounded by TOPOLOGY_PORT_MAX ports and
 * TOPOLOGY_NETWORK_MAX networks, which config.h enforces.
 */
#ifndef VSW_CONTROL_MODEL_H
#define VSW_CONTROL_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#include "port/port.h"

/* Characters of a name or a path, each with its terminating zero. */
#define MODEL_NAME_SIZE PORT_NAME_SIZE
#define MODEL_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

#define MODEL_SOCKET_DIR         "/run/virtswitch"
#define MODEL_SOCKET_MODE        0660
#define MODEL_IDLE_US_DEFAULT    100
/* Addresses: 65,536 are enough for hundreds of VMs with containers inside. */
#define MODEL_FDB_SIZE_DEFAULT   65536
/* Seconds: what IEEE 802.1Q recommends. */
#define MODEL_FDB_AGEING_DEFAULT 300
#define MODEL_WORKERS_AUTO       0

/* Of memory limits: four times the machine's memory a port, and GUEST_MAPPINGS_BYTES in all. */
#define MODEL_MEMORY_AUTO 0

/* Files in which guests' memory may lie. */
enum model_guest_memory { MODEL_GUEST_MEMORY_SHMEM, MODEL_GUEST_MEMORY_ANY };

enum model_poll { MODEL_POLL_ADAPTIVE, MODEL_POLL_BUSY };

struct model_settings {
	char socket_dir[MODEL_PATH_SIZE];
	char control_group[MODEL_NAME_SIZE]; /* group of the control socket; "": that of vswd */
	char control_ro[MODEL_NAME_SIZE];    /* group of the read-only one; "": there is none */
	char socket_group[MODEL_NAME_SIZE];  /* of the ports' sockets; "": what the folder gives */
	unsigned socket_mode;                /* permissions of the ports' sockets */
	unsigned workers;                    /* threads, or MODEL_WORKERS_AUTO */
	unsigned poll;                       /* enum model_poll */
	unsigned idle_us;                    /* microseconds */
	unsigned fdb_size;                   /* addresses */
	unsigned fdb_ageing;                 /* seconds; 0: never */
	unsigned guest_memory;               /* enum model_guest_memory */
	unsigned memory_limit_gib;           /* of all ports, or MODEL_MEMORY_AUTO */
	unsigned socket_dir_line;            /* as model_port.line */
};

enum model_pass { MODEL_DROP, MODEL_PASS };
enum model_loops { MODEL_LOOPS_HOLD, MODEL_LOOPS_LOG };

struct model_network {
	char name[MODEL_NAME_SIZE];
	unsigned vlan; /* 1 to 4094; 0: none */
	/* What is meant for the next hop only: enum model_pass. */
	unsigned stp, lldp, lacp, dot1x;
	unsigned loops; /* enum model_loops: what is done about one */
};

/* An address or a prefix that a port may use. */
struct model_address {
	bool ipv6;
	uint8_t bytes[16]; /* as on the wire; of IPv4 the first four. Zero behind the prefix. */
	unsigned length;   /* bits: 32 or 128 for one address */
};

enum model_port_type { MODEL_VHOST_USER };
enum model_socket_mode { MODEL_SERVER, MODEL_CLIENT };

struct model_port {
	char name[MODEL_NAME_SIZE];
	unsigned type; /* enum model_port_type */
	/* Either network (an access port) or trunk, with or without native. */
	char network[MODEL_NAME_SIZE];  /* "": a trunk */
	char native[MODEL_NAME_SIZE];   /* "": none */
	char (*trunk)[MODEL_NAME_SIZE]; /* names, sorted, each once; owned */
	unsigned trunk_count;
	unsigned mode; /* enum model_socket_mode */
	char socket[MODEL_PATH_SIZE];
	/* Who may connect where we listen: by name, "" for what the folder gives, and permissions. */
	char owner[MODEL_NAME_SIZE];
	char group[MODEL_NAME_SIZE];
	unsigned socket_mode;
	unsigned queues;           /* pairs */
	unsigned mtu;              /* bytes; 0: none is offered */
	unsigned memory_limit_gib; /* or MODEL_MEMORY_AUTO */
	unsigned flood_limit;      /* frames a second; 0: none */
	unsigned qinq; /* 1: frames with several tags, or tags of other types than 0x8100 */
	bool has_mac;
	uint8_t mac[6];
	struct model_address *addresses; /* sorted, each once; owned. None: any may be used. */
	unsigned address_count;
	unsigned trusted; /* 1: may be a router and a DHCP server */
	/* Where the file asks for the socket, for errors that show only when it is opened; 0:
	 * unknown. Says nothing about the port: two models that differ here only are equal. */
	unsigned line;
};

struct model {
	struct model_settings settings;
	struct model_network *networks; /* sorted by name; owned */
	unsigned network_count;
	struct model_port *ports; /* sorted by name; owned */
	unsigned port_count;
};

/* Makes *model the empty one: default settings, no network, no port. */
void model_init(struct model *model);

/* Frees what the model holds and makes it empty. */
void model_fini(struct model *model);

/* Fills *to, which is overwritten, with a copy. 0 or -ENOMEM (then *to is empty). */
int model_copy(struct model *to, const struct model *from);

/* Adds an element at the end and returns it, with the defaults. The caller
 * sorts with model_sort() when it has added all. NULL where memory is short. */
struct model_network *model_add_network(struct model *model);
struct model_port *model_add_port(struct model *model);

/* Copies the port, its trunk list included, over *to, which holds nothing. 0 or -ENOMEM. */
int model_port_copy(struct model_port *to, const struct model_port *from);
void model_port_fini(struct model_port *port);

/* Adds a network's name to the port's trunk list. 0 or -ENOMEM. */
int model_port_add_trunk(struct model_port *port, const char *network);

/* Adds an address to those that the port may use. 0 or -ENOMEM. */
int model_port_add_address(struct model_port *port, const struct model_address *address);

/* Takes the port out, closing the gap. */
void model_remove_port(struct model *model, unsigned position);

void model_sort_networks(struct model *model);
void model_sort_ports(struct model *model);
void model_sort_addresses(struct model_port *port);

/* By name, in a sorted model; NULL where there is none. */
const struct model_network *model_find_network(const struct model *model, const char *name);
const struct model_port *model_find_port(const struct model *model, const char *name);

/* The words of the configuration for the enumerations, indexed by them; NULL ends each. */
extern const char *const model_poll_names[];
extern const char *const model_guest_memory_names[];
extern const char *const model_port_type_names[];
extern const char *const model_socket_mode_names[];
extern const char *const model_pass_names[];
extern const char *const model_loops_names[];
extern const char *const model_flag_names[]; /* "false", "true" */

/* "52:54:00:00:00:01" and back. model_mac_parse() returns false where the text is not that. */
#define MODEL_MAC_TEXT_SIZE 18
void model_mac_format(const uint8_t mac[6], char text[MODEL_MAC_TEXT_SIZE]);
bool model_mac_parse(const char *text, uint8_t mac[6]);

/* "10.0.0.1", "10.0.0.0/24", "fd00::1", "fd00::/64" and back. model_address_parse() returns NULL, or what is
 * wrong with the text. */
#define MODEL_ADDRESS_TEXT_SIZE 50
void model_address_format(const struct model_address *address, char text[MODEL_ADDRESS_TEXT_SIZE]);
const char *model_address_parse(const char *text, struct model_address *address);

#endif
