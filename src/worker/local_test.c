/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The local port among others: what a service says reaches guests, and what a guest says to an
 * address that is bound to the local port reaches the control thread, which this test is.
 */
#include <poll.h>

#include "port/local.h"
#include "worker/test_pool.h"

static struct port *local;
static const uint8_t gateway[MAC_SIZE] = {0x02, 0x02, 0x02, 0x02, 0x02, 0x99};

static void publish_with_local(void)
{
	struct port *const all[] = {ports[0], ports[1], ports[2], local};
	struct snapshot *snapshot = snapshot_new(TOPOLOGY_INDEX_MAX, 2);

	require(snapshot);
	topology_local_set(&snapshot->topology);
	topology_network_set(&snapshot->topology, 0, 0);
	topology_network_set(&snapshot->topology, 1, 0);
	for (uint16_t i = 0; i < PORTS; i++)
		require(topology_access_set(&snapshot->topology, i, i == 2) == 0);
	require(worker_pool_publish(pool, snapshot, all, ARRAY_SIZE(all)) == 0);
}

/* Ports 0 and 1 are in network 0, port 2 is alone in network 1; a new FDB with room for the
 * local port. */
static void local_begin(unsigned workers)
{
	begin(workers, PORTS);
	local = local_port_new(
		worker_pool_notifier(pool), TOPOLOGY_PORT_LOCAL, TOPOLOGY_INDEX_MAX, NULL);
	require(local && fdb_bind(fdb, 0, gateway, TOPOLOGY_PORT_LOCAL) == 0);
	publish_with_local();
}

static void local_end(void)
{
	require(worker_pool_publish(pool, one_network(PORTS), ports, PORTS) == 0);
	local->class->destroy(local);
	end();
}

static uint64_t local_rx_drops(enum drop_reason reason)
{
	struct port_totals totals;

	port_totals(local, &totals);
	return totals.drops[reason];
}

/* A service's frame has every port of its network for its receivers, one alone included, and
 * teaches nobody. */
static void a_service_sends_into_a_network(void **state)
{
	uint8_t frame[FRAME];

	for (unsigned workers = 1; workers <= 2; workers++) {
		local_begin(workers);
		fill_frame(frame, 7, PORTS, 1);
		require(local_port_send(local, 0, frame, FRAME));
		fill_frame(frame, 7, PORTS, 2);
		require(local_port_send(local, 1, frame, FRAME));
		expect(0, 7, PORTS, 1);
		expect(1, 7, PORTS, 1);
		expect(2, 7, PORTS, 2);
		require(fdb_count(fdb) == 1); /* the gateway */
		/* One that is known gets what is for it alone. */
		push(0, PORTS, 3);
		expect(1, 0, PORTS, 3);
		fill_frame(frame, 7, 0, 4);
		require(local_port_send(local, 0, frame, FRAME));
		expect(0, 7, 0, 4);
		/* No such network. */
		require(local_port_send(local, 2, frame, FRAME));
		require(local_port_send(local, NETWORK_NONE, frame, FRAME));
		wait_for_frames(6);
		require(local_rx_drops(DROP_NO_DESTINATION) == 2);
		for (unsigned at = 0; at < PORTS; at++)
			expect_nothing(at);
		local_end();
	}
}

/* As a guest's announcement: everybody but the port hears it, and learns where the guest is. */
static void a_service_sends_as_a_port(void **state)
{
	struct port_totals totals;
	uint8_t frame[FRAME];

	local_begin(1);
	fill_frame(frame, 0, PORTS, 1);
	require(local_port_send_as(local, 0, frame, FRAME));
	expect(1, 0, PORTS, 1);
	fill_frame(frame, 7, 0, 2);
	require(local_port_send(local, 0, frame, FRAME));
	expect(0, 7, 0, 2);
	port_totals(ports[0], &totals);
	require(!totals.rx_packets && fdb_count(fdb) == 2);
	/* A port that is no more. */
	require(local_port_send_as(local, PORTS, frame, FRAME));
	wait_for_frames(3);
	require(local_rx_drops(DROP_NO_DESTINATION) == 1);
	for (unsigned at = 0; at < PORTS; at++)
		expect_nothing(at);
	local_end();
}

static struct {
	unsigned count;
	uint16_t network, port;
	uint32_t number;
} heard;

static void hear(void *owner, const struct local_frame *frame)
{
	require(frame->length == FRAME);
	heard.count++;
	heard.network = frame->network;
	heard.port = frame->port;
	memcpy(&heard.number, frame->bytes + 14, sizeof(heard.number));
	/* The answer to whoever asked. */
	require(local_port_send(local, frame->network, frame->bytes, frame->length));
}

static void push_to_gateway(unsigned from, uint32_t number)
{
	uint8_t frame[FRAME];

	fill_frame(frame, from, 0, number);
	memcpy(frame, gateway, MAC_SIZE);
	while (!memory_port_push(ports[from], 0, frame, FRAME))
		usleep(10);
}

/* In its network, and in no other, where the address is unknown. */
static void an_address_that_is_bound_leads_to_the_control_thread(void **state)
{
	struct pollfd event;

	for (unsigned workers = 1; workers <= 2; workers++) {
		local_begin(workers);
		event = (struct pollfd){.fd = local_port_event(local), .events = POLLIN};
		heard.count = 0;
		for (uint32_t number = 1; number <= 500; number++) {
			push_to_gateway(1, number);
			require(poll(&event, 1, 20000) == 1);
			local_port_receive(local, 1, hear, NULL);
			/* Where it was the last one, the event may be one too many. */
			while (heard.count < number)
				local_port_receive(local, 1, hear, NULL);
			require(heard.number == number && heard.port == 1 && !heard.network);
		}
		push_to_gateway(2, 1);
		/* Those, their echoes, for which the local port itself is no receiver, and that
		 * one. */
		wait_for_frames(1001);
		require(local_port_receive(local, 1, hear, NULL) == 0);
		for (unsigned at = 0; at < PORTS; at++)
			expect_nothing(at);
		local_end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_sends_into_a_network),
		cmocka_unit_test(a_service_sends_as_a_port),
		cmocka_unit_test(an_address_that_is_bound_leads_to_the_control_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
