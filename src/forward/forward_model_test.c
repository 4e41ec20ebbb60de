/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random frames through random topologies, compared with a model that is as dumb as the rules are
 * written: one frame at a time, no table but arrays. The topology changes under a FDB that stays, so
 * that it holds what is no longer true. Isolation is checked on its own, without the model's help.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/forward.h"
#include "packet/test_frames.h"

#define PORTS    7
#define NETWORKS 4
#define HOSTS    8
#define ROUNDS   3000

/* The configuration in the model's own words. */
struct model_port {
	bool present;
	bool trunk;
	uint16_t untagged;     /* network of untagged frames, or NETWORK_NONE */
	bool tagged[NETWORKS]; /* trunk: carries the network's tag */
	bool secured;
	unsigned host; /* secured: the one host that may be here */
};

struct model {
	uint16_t vlan[NETWORKS];
	struct model_port ports[PORTS];
	uint16_t learned[NETWORKS][HOSTS]; /* port or FDB_PORT_NONE */
	bool bound[NETWORKS][HOSTS];
};

/* A frame, as the generator meant it. */
struct model_frame {
	uint64_t destination;
	uint64_t source;
	bool tagged;
	uint16_t vlan;
	bool second_tag;
	bool arp;
	uint64_t arp_sender;
};

struct verdict {
	enum drop_reason reason; /* DROP_REASON_COUNT: forwarded */
	uint16_t network;
	unsigned ports; /* bit set */
};

static struct packet_batch batch;
static struct forward_output output;

static uint64_t host_mac(unsigned host)
{
	return UINT64_C(0x525400000000) + host;
}

static bool is_host(uint64_t mac)
{
	return mac >= host_mac(0) && mac < host_mac(HOSTS);
}

static bool model_carries(const struct model *model, unsigned port, uint16_t network)
{
	const struct model_port *p = &model->ports[port];

	return p->present && (p->untagged == network || (p->trunk && p->tagged[network]));
}

static uint16_t model_network(const struct model *model, const struct model_port *port,
	const struct model_frame *frame, enum drop_reason *reason)
{
	*reason = DROP_VLAN_NOT_ALLOWED;
	if (frame->tagged && frame->second_tag)
		return NETWORK_NONE;
	if (!frame->tagged || frame->vlan == 0) {
		*reason = DROP_NO_NATIVE_NETWORK;
		return port->untagged;
	}
	for (uint16_t network = 0; port->trunk && network < NETWORKS; network++)
		if (port->tagged[network] && model->vlan[network] == frame->vlan)
			return network;
	return NETWORK_NONE;
}

static unsigned model_flood(const struct model *model, unsigned ingress, uint16_t network)
{
	unsigned ports = 0;

	for (unsigned port = 0; port < PORTS; port++)
		if (port != ingress && model_carries(model, port, network))
			ports |= 1u << port;
	return ports;
}

static struct verdict model_drop(enum drop_reason reason)
{
	return (struct verdict){.reason = reason, .network = NETWORK_NONE};
}

static struct verdict model_forward(
	struct model *model, unsigned ingress, const struct model_frame *frame)
{
	const struct model_port *port = &model->ports[ingress];
	struct verdict verdict = {.reason = DROP_REASON_COUNT};
	enum drop_reason reason;
	uint16_t *learned;
	unsigned to;

	if (!port->present)
		return model_drop(DROP_NO_DESTINATION);
	if (!is_host(frame->source))
		return model_drop(DROP_BAD_SOURCE);
	if (frame->destination >= MAC_RESERVED && frame->destination < MAC_RESERVED + 16)
		return model_drop(DROP_RESERVED_MULTICAST);
	verdict.network = model_network(model, port, frame, &reason);
	if (verdict.network == NETWORK_NONE)
		return model_drop(reason);
	if (port->secured && (frame->source != host_mac(port->host) ||
				     (frame->arp && frame->arp_sender != host_mac(port->host))))
		return model_drop(DROP_SPOOFED_SOURCE);

	learned = &model->learned[verdict.network][frame->source - host_mac(0)];
	if (model->bound[verdict.network][frame->source - host_mac(0)] && *learned != ingress)
		return model_drop(DROP_SOURCE_BOUND_ELSEWHERE);
	*learned = (uint16_t)ingress;

	to = FDB_PORT_NONE;
	if (is_host(frame->destination))
		to = model->learned[verdict.network][frame->destination - host_mac(0)];
	if (to == FDB_PORT_NONE || !model_carries(model, to, verdict.network)) {
		verdict.ports = model_flood(model, ingress, verdict.network);
		if (!verdict.ports)
			return model_drop(DROP_NO_DESTINATION);
	} else if (to == ingress) {
		return model_drop(DROP_HAIRPIN);
	} else {
		verdict.ports = 1u << to;
	}
	return verdict;
}

static bool chance(unsigned one_in)
{
	return (unsigned)rand() % one_in == 0;
}

static void random_port(struct model_port *port, const struct model *model)
{
	*port = (struct model_port){.present = !chance(6),
		.trunk = chance(2),
		.untagged = (uint16_t)(rand() % NETWORKS),
		.host = (unsigned)rand() % HOSTS};
	port->secured = port->present && chance(4);
	if (!port->present)
		port->untagged = NETWORK_NONE;
	if (!port->trunk || !port->present)
		return;
	if (chance(2))
		port->untagged = NETWORK_NONE;
	for (unsigned network = 0; network < NETWORKS; network++)
		port->tagged[network] = model->vlan[network] && chance(2);
}

/* Binds the secured ports' addresses where that is possible; an address that is bound elsewhere
 * already stays there. */
static void bind_ports(struct model *model, struct fdb *fdb)
{
	for (uint16_t port = 0; port < PORTS; port++) {
		const struct model_port *p = &model->ports[port];
		uint8_t mac[MAC_SIZE];

		mac_from_u64(host_mac(p->host), mac);
		for (uint16_t network = 0; p->secured && network < NETWORKS; network++) {
			if (!model_carries(model, port, network))
				continue;
			if (model->bound[network][p->host]) {
				assert_int_not_equal(fdb_bind(fdb, network, mac, port), 0);
				continue;
			}
			assert_int_equal(fdb_bind(fdb, network, mac, port), 0);
			model->bound[network][p->host] = true;
			model->learned[network][p->host] = port;
		}
	}
}

static void unbind_all(struct model *model, struct fdb *fdb)
{
	for (uint16_t network = 0; network < NETWORKS; network++) {
		for (unsigned host = 0; host < HOSTS; host++) {
			uint8_t mac[MAC_SIZE];

			if (!model->bound[network][host])
				continue;
			mac_from_u64(host_mac(host), mac);
			fdb_unbind(fdb, network, mac, model->learned[network][host]);
			model->bound[network][host] = false;
			model->learned[network][host] = FDB_PORT_NONE;
		}
	}
}

static struct topology *build_topology(const struct model *model)
{
	struct topology *topology = topology_new(PORTS, NETWORKS);

	assert_non_null(topology);
	for (uint16_t network = 0; network < NETWORKS; network++)
		topology_network_set(topology, network, model->vlan[network]);
	for (uint16_t i = 0; i < PORTS; i++) {
		const struct model_port *port = &model->ports[i];
		uint16_t networks[NETWORKS];
		unsigned count = 0;
		uint8_t mac[MAC_SIZE];

		for (uint16_t network = 0; network < NETWORKS; network++)
			if (port->tagged[network])
				networks[count++] = network;
		if (port->present && port->trunk)
			assert_int_equal(
				topology_trunk_set(topology, i, port->untagged, networks, count),
				0);
		else if (port->present)
			assert_int_equal(topology_access_set(topology, i, port->untagged), 0);
		mac_from_u64(host_mac(port->host), mac);
		if (port->secured)
			topology_secure(topology, i, mac);
	}
	return topology;
}

static void random_frame(struct model_frame *meant, struct test_frame *frame, uint16_t vlan)
{
	const uint64_t others[] = {MAC_BROADCAST, UINT64_C(0x01005e000001), MAC_RESERVED + 2,
		UINT64_C(0x525400ffff00), 0};

	*meant = (struct model_frame){
		.destination = chance(4) ? others[rand() % 5] : host_mac((unsigned)rand() % HOSTS),
		.source = chance(20) ? others[rand() % 2 * 4] : host_mac((unsigned)rand() % HOSTS),
		.tagged = chance(2),
		.vlan = chance(5)   ? (uint16_t)(rand() % 4096)
			: chance(4) ? 0
				    : vlan,
		.second_tag = chance(20),
		.arp = chance(3),
		.arp_sender = host_mac((unsigned)rand() % HOSTS),
	};
	if (chance(2))
		meant->arp_sender = meant->source;
	frame_begin(frame, meant->destination, meant->source);
	if (meant->tagged) {
		frame_tag(frame, (uint16_t)((rand() & 15) << 12 | meant->vlan));
		if (meant->second_tag)
			frame_tag(frame, vlan);
	}
	frame_type(frame, meant->arp ? ETH_P_ARP : 0x88b5);
	frame_arp(frame, 1, meant->arp_sender, 1, 2);
	frame_append(frame, NULL, chance(4) ? 1000 : 20);
}

/* No packet leaves by a port that does not carry its network, whatever the model says. */
static void check_isolation(const struct model *model, unsigned ingress)
{
	for (unsigned i = 0; i < output.count; i++) {
		unsigned bit, port = output.touched[i];

		assert_int_not_equal(port, ingress);
		PACKET_MASK_FOR_EACH (bit, output.mask[port])
			assert_true(model_carries(model, port, batch.packets[bit].network));
	}
}

static void run_batch(struct model *model, const struct topology *topology, struct fdb *fdb)
{
	static struct test_frame frames[PACKET_BATCH];
	struct counters counters = {0};
	uint64_t expected_drops[DROP_REASON_COUNT] = {0};
	struct verdict verdicts[PACKET_BATCH];
	unsigned count = (unsigned)rand() % (PACKET_BATCH + 1);
	uint16_t ingress = (uint16_t)(rand() % PORTS);

	batch_begin(&batch, ingress, 1);
	for (unsigned i = 0; i < count; i++) {
		struct model_frame meant;

		random_frame(&meant, &frames[i], model->vlan[rand() % NETWORKS]);
		verdicts[i] = model_forward(model, ingress, &meant);
		if (verdicts[i].reason != DROP_REASON_COUNT)
			assert_int_equal(verdicts[i].ports & 1u << ingress, 0);
		else
			assert_int_not_equal(verdicts[i].ports, 0);
		if (verdicts[i].reason != DROP_REASON_COUNT)
			expected_drops[verdicts[i].reason]++;
		batch_add(&batch, frames[i].bytes, frames[i].length);
	}
	forward_batch(topology, fdb, &batch, &output, &counters);

	check_isolation(model, ingress);
	for (unsigned i = 0; i < count; i++) {
		unsigned ports = 0;

		for (unsigned port = 0; port < PORTS; port++)
			ports |= (unsigned)(output.mask[port] >> i & 1) << port;
		assert_int_equal(ports, verdicts[i].ports);
		if (ports)
			assert_int_equal(batch.packets[i].network, verdicts[i].network);
	}
	assert_memory_equal(counters.drops, expected_drops, sizeof(expected_drops));
	assert_int_equal(counters.packets, count);
	forward_output_clear(&output);
}

static void test_random(void **state)
{
	struct fdb *fdb = fdb_new(1024, 0, PORTS, 3);
	struct model model = {0};

	srand(11);
	memset(model.learned, 0xff, sizeof(model.learned));
	/* The last network has no VLAN. */
	for (uint16_t network = 0; network + 1 < NETWORKS; network++)
		model.vlan[network] = (uint16_t)(100 + network);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct topology *topology;

		unbind_all(&model, fdb);
		for (unsigned port = 0; port < PORTS; port++)
			random_port(&model.ports[port], &model);
		bind_ports(&model, fdb);
		topology = build_topology(&model);
		for (unsigned i = 0; i < 10; i++)
			run_batch(&model, topology, fdb);
		topology_free(topology);
	}
	fdb_free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
