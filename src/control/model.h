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

#include "control/schema.h"

#define MODEL_SOCKET_DIR         "/run/virtswitch"
#define MODEL_STATE_DIR          "/var/lib/virtswitch"
#define MODEL_SOCKET_MODE        0660
#define MODEL_IDLE_US_DEFAULT    100
/* Addresses: 65,536 are enough for hundreds of VMs with containers inside. */
#define MODEL_FDB_SIZE_DEFAULT   65536
/* Seconds: what IEEE 802.1Q recommends. */
#define MODEL_FDB_AGEING_DEFAULT 300
#define MODEL_WORKERS_AUTO       0

/* Of memory limits: four times the machine's memory a port, and GUEST_MAPPINGS_BYTES in all. */
#define MODEL_MEMORY_AUTO    0
/* The address space of a process: 128 TiB. */
#define MODEL_MEMORY_GIB_MAX 131072

/* Files in which guests' memory may lie. */
enum model_guest_memory { MODEL_GUEST_MEMORY_SHMEM, MODEL_GUEST_MEMORY_ANY };

enum model_poll { MODEL_POLL_ADAPTIVE, MODEL_POLL_BUSY };

struct model_settings {
	char socket_dir[MODEL_PATH_SIZE];
	char state_dir[MODEL_PATH_SIZE];     /* for what outlives vswd: the leases */
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
	unsigned socket_dir_line;            /* as model_port.lines; 0: unknown */
	unsigned state_dir_line;             /* likewise */
};

enum model_pass { MODEL_DROP, MODEL_PASS };
enum model_loops { MODEL_LOOPS_HOLD, MODEL_LOOPS_LOG };

/* Characters of a DNS domain, with the terminating zero: with the names of a port and a network in
 * front it is still a name of DNS. */
#define MODEL_DOMAIN_SIZE 96

/* Reserved for private use, so it is nobody's on the internet. */
#define MODEL_DOMAIN "internal"

/* Characters of a boot file's name: of the field in a DHCP message (RFC 2131, section 2). */
#define MODEL_BOOT_FILE_SIZE 128

/* What a network hands out by DHCP. */
struct model_dhcp {
	unsigned enabled;
	struct value_texts range;    /* the first and the last address; none: all that are free */
	struct value_address server; /* the server's own; none: the gateway's */
	unsigned lease_time;         /* seconds; 0: for ever */
	unsigned port_limit;         /* leases of one port; 0: auto */
	struct value_texts dns, search, ntp;
	char domain[MODEL_DOMAIN_SIZE]; /* "": NETWORK.DOMAIN */
	struct value_texts routes;      /* PREFIX=ROUTER */
	unsigned hostname;              /* 1: a client is told its port's name */
	char boot_file[MODEL_BOOT_FILE_SIZE], boot_file_efi[MODEL_BOOT_FILE_SIZE],
		boot_file_ipxe[MODEL_BOOT_FILE_SIZE];
	struct value_address next_server; /* of the boot files; none: the server's own */
	struct value_texts options;       /* NUMBER=VALUE */
};

/* What a network announces to stations with IPv6. */
struct model_ra {
	unsigned enabled;
	unsigned lifetime; /* seconds: of the default route; 0: it is none */
	unsigned interval; /* seconds: the longest time between two announcements */
	unsigned slaac;    /* 1: stations make addresses of subnet6 for themselves */
	struct value_texts dns, search, routes;
};

struct model_network {
	char name[MODEL_NAME_SIZE];
	unsigned vlan; /* 1 to 4094; 0: none */
	/* Length 0: none. A gateway lies in its subnet. */
	struct value_address subnet, gateway;   /* IPv4 */
	struct value_address subnet6, gateway6; /* IPv6 */
	unsigned mtu;                           /* bytes; 0: not said */
	char domain[MODEL_DOMAIN_SIZE];         /* its VMs are NAME.NETWORK.DOMAIN */
	struct model_dhcp dhcp;
	struct model_ra ra;
	/* What is meant for the next hop only: enum model_pass. */
	unsigned stp, lldp, lacp, dot1x;
	unsigned loops; /* enum model_loops: what is done about one */
};

enum model_gateway { MODEL_GATEWAY_SWITCH, MODEL_GATEWAY_KERNEL };
enum model_uplink { MODEL_UPLINK_NONE, MODEL_UPLINK_NAT };

#define MODEL_ROUTER_KEY_MAX 8
/* The `netns` of a router that is the namespace of vswd. */
#define MODEL_NETNS_HOST     "host"

/* Connects networks at their gateways' addresses; no network has two. */
struct model_router {
	char name[MODEL_NAME_SIZE];
	struct value_names networks;
	unsigned gateway;            /* enum model_gateway: who does it */
	char netns[MODEL_PATH_SIZE]; /* name or path; "": one of its own */
	unsigned uplink;             /* enum model_uplink */
	unsigned nat6;               /* 1: IPv6 is translated, too; 0: routed */
	struct value_forwards forward;
	/* As model_port.line and lines. */
	unsigned line, lines[MODEL_ROUTER_KEY_MAX];
};

/* Keys of a port, those of its kind included: what there is room for lines of. */
#define MODEL_PORT_KEY_MAX 48

/* What every kind of port has; `settings` is what only this one has. */
struct model_port {
	char name[MODEL_NAME_SIZE];
	unsigned type; /* in model_kinds[] */
	/* Either network (an access port) or trunk, with or without native. */
	char network[MODEL_NAME_SIZE]; /* "": a trunk */
	char native[MODEL_NAME_SIZE];  /* "": none */
	struct value_names trunk;
	struct value_mac mac;      /* the only one that may be used; not set: any */
	struct value_addresses ip; /* likewise; none: any */
	unsigned trusted;          /* 1: may be a router and a DHCP server */
	unsigned qinq;        /* 1: frames with several tags, or tags of other types than 0x8100 */
	unsigned flood_limit; /* frames a second; 0: none */
	void *settings;       /* the struct of the kind's rows; owned. NULL: no type yet */
	/* Not "": it is this router's, in one of its networks, and in no file. gateways.h */
	char router[MODEL_NAME_SIZE];
	bool held; /* that router brings the interface up when its table is in force */
	/* Where the file says it, for errors that show only when the port is opened:
	 * model_port_line(). Says nothing about the port: two models that differ here only are
	 * equal. */
	unsigned line;                      /* of the entry; 0: unknown */
	unsigned lines[MODEL_PORT_KEY_MAX]; /* by key, the common ones first; 0: it is not there */
};

struct model {
	struct model_settings settings;
	struct model_network *networks; /* sorted by name; owned */
	unsigned network_count;
	struct model_port *ports; /* sorted by name; owned */
	unsigned port_count;
	struct model_router *routers; /* sorted by name; owned */
	unsigned router_count;
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
struct model_router *model_add_router(struct model *model);

/* Makes the port one of model_kinds[type], with the initial settings of that kind. 0 or -ENOMEM. */
int model_port_set_type(struct model_port *port, unsigned type);

/* Copies the port, lists and settings included, over *to, which holds nothing. 0 or -ENOMEM. */
int model_port_copy(struct model_port *to, const struct model_port *from);
void model_port_fini(struct model_port *port);

/* The line of the key, or of the port's entry where it does not say it; 0: unknown. */
unsigned model_port_line(const struct model_port *port, const char *key);

/* True where the network is the port's, in whatever way. */
bool model_port_in_network(const struct model_port *port, const char *network);

/* Takes the port out, closing the gap. */
void model_remove_port(struct model *model, unsigned position);

void model_sort_networks(struct model *model);
void model_sort_ports(struct model *model);
void model_sort_routers(struct model *model);

/* Fills in the gateways that follow from the network's subnets: each is the first address, unless
 * the file says it. */
void model_network_complete(struct model_network *network, bool gateway, bool gateway6);
/* True where the key would have the same value if the file did not say it. */
bool model_network_implies(const struct model_network *network, const struct schema_key *key);

/* By name, in a sorted model; NULL where there is none. */
const struct model_network *model_find_network(const struct model *model, const char *name);
const struct model_port *model_find_port(const struct model *model, const char *name);
/* The ports that the file has: without those of routers. */
unsigned model_written_ports(const struct model *model);
const struct model_router *model_find_router(const struct model *model, const char *name);
/* The router that the network is in; NULL: none. */
const struct model_router *model_router_of(const struct model *model, const char *network);

/* The rows of the objects. A port has those of model_port_schema, and in model_port.settings those
 * of its kind. */
extern const struct schema model_switch_schema;
extern const struct schema model_network_schema;
extern const struct schema model_port_schema;
extern const struct schema model_router_schema;

/* How model_kind.complete() asks what the file says of the port, and tells what is wrong. */
struct model_check {
	void *owner;
	/* True where the key stands there. */
	bool (*given)(void *owner, const char *key);
	/* A fault of this key; NULL: of the port as a whole. */
	void (*fault)(void *owner, const char *key, const struct error *error);
};

struct claims;

/*
 * The passive half of a kind of port: what it is called and configured by. A new kind declares its
 * struct and its rows in a file of its own and stands in model_kinds.c. (The active half:
 * port_kinds.h.)
 */
struct model_kind {
	const char *name; /* the word of `type` */
	const char *help;
	struct schema schema;
	/* What follows from the port's name and the switch's settings is filled in where the file
	 * does not say it; tells of keys that do not fit together. May be NULL. */
	void (*complete)(struct model_port *port, const struct model_settings *settings,
		const struct model_check *check);
	/* The port in a few words, for the line that says that it comes or goes. */
	void (*describe)(const struct model_port *port, FILE *out);
	/* What it means to those at the port's far end that it is opened anew; NULL: nothing. */
	const char *reopened;
	/* What of the host no other port may have. May be NULL. */
	void (*claims)(const struct model_port *port, struct claims *claims);
};

extern const struct model_kind *const model_kinds[]; /* NULL ends them */

/* The name of a kind by its index; NULL behind the last. */
const char *model_kind_name(unsigned type);

/* The rows that only this port's kind has; an empty schema where it has no type yet. */
const struct schema *model_port_kind_schema(const struct model_port *port);

#endif
