/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where everything lies in the memory of the guest, whose physical addresses these are: for its
 * program (guest.S) and for the host's side. Macros only: the assembler reads this, too.
 */
#ifndef VSW_TESTS_KVM_LAYOUT_H
#define VSW_TESTS_KVM_LAYOUT_H

#define GUEST_SIZE 0x40000 /* bytes of memory */
#define GDT_AT     0x600
#define CODE_AT    0x1000
#define IDT_AT     0x2000
#define STACK_TOP  0x4000

/* What guest and host tell each other: 32-bit words. */
#define ROUNDS_AT     0x4000 /* how many frames to send */
#define DONE_AT       0x4004 /* of those, came back unchanged */
#define KICKS_AT      0x4008 /* times that the doorbell was rung */
#define INTERRUPTS_AT 0x400c
#define BAD_AT        0x4010 /* a check that failed: its number in guest.S */

/* Two network cards, each with a receiveq (ring 0) and a transmitq (ring 1): split rings. */
#define RING_SIZE              16
#define RING_AT(card, ring)    (0x8000 + ((card)*2 + (ring)) * 0x1000)
#define AVAILABLE              0x400 /* offsets from a ring's address */
#define USED                   0x800
#define BUFFER_SHIFT           11
#define BUFFERS_AT(card, ring) (0x20000 + ((card)*2 + (ring)) * 0x8000)

/* A frame lies behind its virtio_net_hdr; the guest numbers each where it says. */
#define HEADER    12
#define FRAME     128
#define NUMBER_AT 16 /* bytes from the frame's beginning */

/* Outside the memory: the first card's doorbell, and ports by which the program tells us that it
 * runs and that it ends. */
#define DOORBELL_AT 0xc0000000
#define DOORBELL    1 /* what is written: the queue's number */
#define READY_PORT  0x512
#define END_PORT    0x514

/* The second card's message-signalled interrupt. */
#define LAPIC_AT 0xfee00000
#define VECTOR   0x40

#endif
