/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of the packet port: one end of a pair of veths in a namespace of the test's own, on
 * which the port is, and at the other a packet socket of the test's, the wire.
 */
#ifndef VSW_PORT_PACKET_TEST_WIRE_H
#define VSW_PORT_PACKET_TEST_WIRE_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "port/packet/packet_port.h"

#define NAME  "vswtest0"
#define OTHER "vswtest1"
#define PEER  "vswtest9"

extern struct event_base *base;
extern struct port *port;
extern int wire; /* at the other end, with headers of virtio-net */
extern struct packet_batch *batch;

/* Of an experimental type. */
extern const uint8_t ethernet[14];
/* A header that asks for nothing. */
extern const struct virtio_net_hdr plain;

/* A namespace of the test's own, where nobody but the test sends; false where there is none. */
bool wire_namespace(void);

/* For each case: the pair of veths; whatever was opened goes. */
int wire_set_up(void **state);
int wire_tear_down(void **state);

void wire_shell(const char *command);
/* A frame that nobody in the kernel cares for, each byte of its payload told by its place. */
void wire_fill(uint8_t *frame, unsigned length);

/* Opens the port and the wire, and waits until frames pass both ways. */
void wire_open_port(const struct host_packet *settings);
void wire_open_usual(void);
void wire_settle(void);

void wire_put(const struct virtio_net_hdr *header, const uint8_t *frame, unsigned length);
/* One visit of the port; the next one that finds something. How many frames there are. */
unsigned wire_receive(void);
unsigned wire_receive_some(void);

/* Puts a frame into the batch: a head, and a tail of pieces that are `step` bytes long. */
void wire_stage(unsigned slot, uint8_t *frame, unsigned length, unsigned step);
void wire_clear_batch(void);

uint64_t wire_dropped(enum drop_reason reason);

#endif
