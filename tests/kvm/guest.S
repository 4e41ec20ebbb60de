/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest: a driver of two network cards in some sixty instructions, without paging or a system
 * around it. It sends a numbered frame through the first card, halts until the second one
 * interrupts, compares what has come, gives the buffer back, and sends the next.
 *
 * Its rings were laid out and its receive buffers made available by the host before it began; the
 * entries of the transmitq's available ring name buffers 0 to 15 in their order, for ever.
 *
 * Only what KVM's instruction emulator knows, so that the program also runs where there is no
 * hardware to run it: there, for one, IRET does not exist outside of real mode. The handler drops
 * what the interrupt has pushed and goes on.
 *
 *   ebp  frames sent; all of them have come back when the next one is sent
 */
#include "layout.h"

#define TRANSMIT RING_AT(0, 1)
#define RECEIVE  RING_AT(1, 0)

	.section .rodata
	.code32
	.globl	kvm_guest_begin, kvm_guest_interrupt, kvm_guest_end
kvm_guest_begin:
	movl	$STACK_TOP, %esp
	xorl	%ebp, %ebp
	cld
	movb	$0xff, %al			/* the old interrupt controllers are not asked */
	outb	%al, $0x21
	outb	%al, $0xa1
	movl	$0x1ff, LAPIC_AT + 0xf0		/* ours is switched on */
	movl	$READY_PORT, %edx
	outw	%ax, %dx

send:
	cmpl	ROUNDS_AT, %ebp
	jae	end
	movl	%ebp, %ebx
	andl	$(RING_SIZE - 1), %ebx
	shll	$BUFFER_SHIFT, %ebx
	addl	$(BUFFERS_AT(0, 1) + HEADER), %ebx	/* the frame, to be compared later */
	movl	%ebp, %ecx			/* is its buffer ours again? */
	subw	TRANSMIT + USED + 2, %cx
	cmpw	$RING_SIZE, %cx
	jae	not_used
	movl	%ebp, NUMBER_AT(%ebx)
	incl	%ebp
	movw	%bp, TRANSMIT + AVAILABLE + 2
	lock orl $0, (%esp)			/* before the device's wish is read */
	testw	$1, TRANSMIT + USED		/* VRING_USED_F_NO_NOTIFY */
	jnz	wait
	incl	KICKS_AT
	movw	$DOORBELL, %ax
	movw	%ax, DOORBELL_AT

wait:
	sti
	hlt
	jmp	wait

kvm_guest_interrupt:
	addl	$12, %esp			/* no return: see above */
	incl	INTERRUPTS_AT
	movl	$0, LAPIC_AT + 0xb0		/* end of interrupt */
	cmpw	%bp, RECEIVE + USED + 2
	jne	wait
	leal	-1(%ebp), %edx
	andl	$(RING_SIZE - 1), %edx
	cmpl	$(HEADER + FRAME), RECEIVE + USED + 8(, %edx, 8)
	jne	not_as_long
	movl	RECEIVE + USED + 4(, %edx, 8), %edi
	cmpl	$RING_SIZE, %edi
	jae	not_a_buffer
	movw	%di, RECEIVE + AVAILABLE + 4(, %edx, 2)
	shll	$BUFFER_SHIFT, %edi
	addl	$(BUFFERS_AT(1, 0) + HEADER), %edi
	movl	%ebx, %esi
	movl	$(FRAME / 4), %ecx
	repe cmpsl
	jne	not_equal
	incl	DONE_AT
	leal	RING_SIZE(%ebp), %eax
	movw	%ax, RECEIVE + AVAILABLE + 2
	jmp	send

not_used:
	movl	$1, BAD_AT
	jmp	end
not_as_long:
	movl	$2, BAD_AT
	jmp	end
not_a_buffer:
	movl	$3, BAD_AT
	jmp	end
not_equal:
	movl	$4, BAD_AT
end:
	movl	$END_PORT, %edx
	outw	%ax, %dx
	hlt
	jmp	end
kvm_guest_end:

	.section .note.GNU-stack, "", @progbits
