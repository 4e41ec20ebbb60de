/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random frames through random topologies, compared with a model that is as dumb as the rules are
 * written: one frame at a time, no table but arrays. The topology changes under a FDB that stays,
 * so that it holds what is no longer true. Isolation is checked on its own, without the model's
 * help.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "forward/encap.h"
#include "forward/forward.h"
#include "forward/security_rules.h"
#include "packet/test_frames.h"
#include "packet/vlan.h"

#define PORTS    7
#define NETWORKS 4
#define HOSTS    8
#define ROUNDS   3000
#define TAGS     3

/* The configuration in the model's own words. */
struct model_port {
	bool present;
	bool trunk;
	uint16_t untagged;     /* network of untagged frames, or NETWORK_NONE */
	bool tagged[NETWORKS]; /* trunk: carries the network's tag */
	bool qinq;
	bool secured;
	unsigned host; /* secured: the one host that may be here */
};

struct model {
	uint16_t vlan[NETWORKS];
	bool link_local[NETWORKS]; /* whether the one group that frames go to passes */
	struct model_port ports[PORTS];
	uint16_t learned[NETWORKS][HOSTS]; /* port or FDB_PORT_NONE */
	bool bound[NETWORKS][HOSTS];
};

/* A frame, as the generator meant it. */
struct model_frame {
	uint64_t destination;
	uint64_t source;
	unsigned tags;
	struct {
		uint16_t type;
		uint16_t vlan;
	} tag[TAGS]; /* the outermost first */
	bool arp;
	uint64_t arp_sender;
};

struct verdict {
	enum drop_reason reason; /* DROP_REASON_COUNT: forwarded */
	uint16_t network;
	bool stacked;
	bool flooded;
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

/* Whether the port may have frames of the network that begin with a tag after the network's own. */
static bool model_stacks(const struct model_port *port, uint16_t network)
{
	return port->qinq && !(port->trunk && port->untagged == network);
}

/* A frame of the port's untagged network, of which `left` tags are payload. */
static uint16_t model_untagged(
	const struct model_port *port, unsigned left, bool *stacked, enum drop_reason *reason)
{
	*stacked = left;
	*reason = DROP_QINQ_NOT_ALLOWED;
	if (left && !model_stacks(port, port->untagged))
		return NETWORK_NONE;
	*reason = DROP_NO_NATIVE_NETWORK;
	return port->untagged;
}

static uint16_t model_network(const struct model *model, const struct model_port *port,
	const struct model_frame *frame, bool *stacked, enum drop_reason *reason)
{
	uint16_t network = 0;

	if (!frame->tags || frame->tag[0].type != ETH_P_8021Q)
		return model_untagged(port, frame->tags, stacked, reason);
	if (frame->tag[0].vlan == 0)
		return model_untagged(port, frame->tags - 1, stacked, reason);
	if (!port->trunk && port->qinq)
		return model_untagged(port, frame->tags, stacked, reason);
	*stacked = frame->tags > 1;
	*reason = DROP_QINQ_NOT_ALLOWED;
	if (*stacked && !port->qinq)
		return NETWORK_NONE;
	*reason = DROP_VLAN_NOT_ALLOWED;
	while (network < NETWORKS &&
		!(port->tagged[network] && model->vlan[network] == frame->tag[0].vlan))
		network++;
	if (!port->trunk || network == NETWORKS)
		return NETWORK_NONE;
	*reason = DROP_QINQ_NOT_ALLOWED;
	return *stacked && !model_stacks(port, network) ? NETWORK_NONE : network;
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
	verdict.network = model_network(model, port, frame, &verdict.stacked, &reason);
	if (verdict.network == NETWORK_NONE)
		return model_drop(reason);
	if (frame->destination == MAC_RESERVED + 2 && !model->link_local[verdict.network])
		return model_drop(DROP_RESERVED_MULTICAST);
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
		verdict.flooded = true;
		verdict.ports = model_flood(model, ingress, verdict.network);
		if (!verdict.ports)
			return model_drop(DROP_NO_DESTINATION);
	} else if (to == ingress) {
		return model_drop(DROP_HAIRPIN);
	} else {
		verdict.ports = 1u << to;
	}
	for (unsigned i = 0; verdict.stacked && i < PORTS; i++)
		if (!model_stacks(&model->ports[i], verdict.network))
			verdict.ports &= ~(1u << i);
	return verdict.ports ? verdict : model_drop(DROP_QINQ_NOT_ALLOWED);
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
	port->qinq = chance(2);
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

static struct snapshot *build_snapshot(const struct model *model)
{
	struct snapshot *snapshot = snapshot_new(PORTS, NETWORKS);
	struct topology *topology = &snapshot->topology;

	assert_non_null(snapshot);
	for (uint16_t network = 0; network < NETWORKS; network++)
		topology_network_set(topology, network, model->vlan[network]);
	for (uint16_t network = 0; network < NETWORKS; network++)
		topology_pass_link_local(topology, network,
			model->link_local[network] ? 1u << 2 : (uint16_t) ~(1u << 2));
	for (uint16_t i = 0; i < PORTS; i++) {
		const struct model_port *port = &model->ports[i];
		uint16_t networks[NETWORKS];
		unsigned count = 0;
		struct security_rules rules = {.has_mac = true};

		for (uint16_t network = 0; network < NETWORKS; network++)
			if (port->tagged[network])
				networks[count++] = network;
		if (port->present && port->trunk)
			assert_int_equal(
				topology_trunk_set(topology, i, port->untagged, networks, count),
				0);
		else if (port->present)
			assert_int_equal(topology_access_set(topology, i, port->untagged), 0);
		mac_from_u64(host_mac(port->host), rules.mac);
		if (port->secured)
			assert_int_equal(topology_secure(topology, i, &rules), 0);
		if (port->qinq)
			topology_allow_qinq(topology, i);
	}
	return snapshot;
}

static void random_frame(struct model_frame *meant, struct test_frame *frame, uint16_t vlan)
{
	const uint64_t others[] = {MAC_BROADCAST, UINT64_C(0x01005e000001), MAC_RESERVED + 2,
		UINT64_C(0x525400ffff00), 0};
	const uint16_t types[] = {ETH_P_8021Q, ETH_P_8021AD, ETH_P_QINQ1, ETH_P_QINQ2, ETH_P_QINQ3};

	*meant = (struct model_frame){
		.destination = chance(4) ? others[rand() % 5] : host_mac((unsigned)rand() % HOSTS),
		.source = chance(20) ? others[rand() % 2 * 4] : host_mac((unsigned)rand() % HOSTS),
		.tags = chance(2)   ? 0
			: chance(2) ? 1
				    : (unsigned)rand() % (TAGS + 1),
		.arp = chance(3),
		.arp_sender = host_mac((unsigned)rand() % HOSTS),
	};
	if (chance(2))
		meant->arp_sender = meant->source;
	frame_begin(frame, meant->destination, meant->source);
	for (unsigned i = 0; i < meant->tags; i++) {
		meant->tag[i].type = chance(4) ? types[rand() % 5] : ETH_P_8021Q;
		meant->tag[i].vlan = chance(5) ? (uint16_t)(rand() % 4096) : chance(4) ? 0 : vlan;
		frame_tag_of(frame, meant->tag[i].type,
			(uint16_t)((rand() & 15) << 12 | meant->tag[i].vlan));
	}
	frame_type(frame, meant->arp ? ETH_P_ARP : 0x88b5);
	frame_arp(frame, 1, meant->arp_sender, 1, 2);
	frame_append(frame, NULL, chance(4) ? 1000 : 20);
}

/* What a trunk sends untagged, and whatever a port without `qinq` gets behind its network's own
 * tag, does not begin with a tag: it would be taken for the frame's own. */
static void check_tags(const struct model *model, const struct forward_context *context,
	uint16_t port, uint64_t mask)
{
	struct counters counters = {0};
	uint64_t left = mask, tagged = forward_encap(context, port, &batch, &left, &counters);
	unsigned i;

	assert_int_equal(left, mask);
	PACKET_MASK_FOR_EACH (i, mask) {
		bool pushed = tagged >> i & 1;
		uint16_t type = load_be16(
			batch.packets[i].head + (pushed ? VLAN_TYPE : ETHERNET_TYPE));

		if (!model->ports[port].qinq || (model->ports[port].trunk && !pushed))
			assert_false(vlan_type_is_tag(type));
	}
	forward_decap(context, port, &batch, tagged);
}

/* No packet leaves by a port that does not carry its network, whatever the model says. */
static void check_isolation(
	const struct model *model, const struct forward_context *context, unsigned ingress)
{
	for (unsigned i = 0; i < output.count; i++) {
		unsigned bit, port = output.touched[i];

		assert_int_not_equal(port, ingress);
		PACKET_MASK_FOR_EACH (bit, output.mask[port])
			assert_true(model_carries(model, port, batch.packets[bit].network));
		check_tags(model, context, (uint16_t)port, output.mask[port]);
	}
}

static void run_batch(struct model *model, const struct forward_context *context)
{
	static struct test_frame frames[PACKET_BATCH];
	struct counters counters = {0};
	uint64_t expected_drops[DROP_REASON_COUNT] = {0};
	struct verdict verdicts[PACKET_BATCH];
	unsigned count = (unsigned)rand() % (PACKET_BATCH + 1);
	uint16_t ingress = (uint16_t)(rand() % PORTS);

	batch_begin(&batch, ingress);
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
	forward_batch(context, &batch, &output, &counters);

	check_isolation(model, context, ingress);
	for (unsigned i = 0; i < count; i++) {
		unsigned ports = 0;

		for (unsigned port = 0; port < PORTS; port++)
			ports |= (unsigned)(output.mask[port] >> i & 1) << port;
		assert_int_equal(ports, verdicts[i].ports);
		if (!ports)
			continue;
		assert_int_equal(batch.packets[i].network, verdicts[i].network);
		assert_int_equal(batch.flooded >> i & 1, verdicts[i].flooded);
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
		struct forward_context context = {.fdb = fdb, .now = 1};
		struct snapshot *snapshot;

		unbind_all(&model, fdb);
		for (unsigned network = 0; network < NETWORKS; network++)
			model.link_local[network] = chance(2);
		for (unsigned port = 0; port < PORTS; port++)
			random_port(&model.ports[port], &model);
		bind_ports(&model, fdb);
		snapshot = build_snapshot(&model);
		context.snapshot = snapshot;
		for (unsigned i = 0; i < 10; i++)
			run_batch(&model, &context);
		snapshot_free(snapshot);
	}
	fdb_free(fdb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
