/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/rarp.h"

static void an_announcement_is_a_question_about_oneself(void **state)
{
	static const uint8_t expected[RARP_FRAME] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 1, 2,
		3,                                  /* destination, source */
		0x80, 0x35,                         /* RARP */
		0x00, 0x01, 0x08, 0x00, 6, 4,       /* Ethernet, IPv4 */
		0x00, 0x03,                         /* request reverse */
		0x52, 0x54, 0, 1, 2, 3, 0, 0, 0, 0, /* sender */
		0x52, 0x54, 0, 1, 2, 3, 0, 0, 0, 0, /* target */
	};
	static const uint8_t mac[MAC_SIZE] = {0x52, 0x54, 0, 1, 2, 3};
	uint8_t frame[RARP_FRAME];

	/* Nothing of what was there before leaves. */
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = 0xee;
	rarp_announce(frame, mac);
	assert_memory_equal(frame, expected, sizeof(frame));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_announcement_is_a_question_about_oneself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
