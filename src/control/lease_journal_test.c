/* SPDX-License-Identifier: BSD-3-Clause */
/* The journal in a folder of its own: what was written is read, whatever was cut or damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "control/lease_journal.h"

static char folder[] = "/tmp/journal-test-XXXXXX";
static char path[64];
static struct error error;

/* What a reading found: for each address how often, and what it said last. */
static unsigned lines[16];
static uint64_t untils[16];

static void count(void *owner, const struct lease_record *record)
{
	lines[record->lease.address % 16]++;
	untils[record->lease.address % 16] = record->lease.until;
}

static struct lease_journal *open_journal(void)
{
	struct lease_journal *journal;

	memset(lines, 0, sizeof(lines));
	journal = lease_journal_open(folder, count, NULL, &error);
	if (!journal)
		fail_msg("%s", error.text);
	return journal;
}

static struct lease_record record_of(unsigned number, uint64_t until)
{
	return (struct lease_record){.network = "blue",
		.lease = {.client = {.owner = "vm1", .length = 1, .id = {1}},
			.address = 0x0a000000 + number,
			.until = until,
			.state = LEASE_BOUND}};
}

static void add(struct lease_journal *journal, unsigned number, uint64_t until)
{
	struct lease_record record = record_of(number, until);

	lease_journal_add(journal, &record);
}

static int set_up(void **state)
{
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/dhcp/leases", folder);
	log_set_level(LOG_LEVEL_ERROR);
	return 0;
}

static int tear_down(void **state)
{
	char command[64];

	unlink(path);
	snprintf(command, sizeof(command), "%s/dhcp", folder);
	rmdir(command);
	rmdir(folder);
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	return 0;
}

static void what_is_written_is_read(void **state)
{
	struct lease_journal *journal = open_journal();
	struct stat found;

	add(journal, 1, 10);
	add(journal, 2, 20);
	assert_int_equal(lease_journal_write(journal), 0);
	/* Not written, so nobody relies on it. */
	add(journal, 3, 30);
	lease_journal_close(journal);
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 07777, 0600);
	journal = open_journal();
	assert_true(lines[1] == 1 && lines[2] == 1 && lines[3] == 0);
	add(journal, 1, 50);
	assert_int_equal(lease_journal_write(journal), 0);
	lease_journal_close(journal);
	journal = open_journal();
	assert_true(lines[1] == 2 && untils[1] == 50);
	lease_journal_close(journal);
}

static void one_process_has_it(void **state)
{
	struct lease_journal *journal = open_journal();

	assert_null(lease_journal_open(folder, count, NULL, &error));
	lease_journal_close(journal);
	lease_journal_close(open_journal());
}

/* Cut at any place, all whole lines are read, and what is added later as well. */
static void a_torn_line_costs_itself(void **state)
{
	struct lease_journal *journal = open_journal();
	struct stat whole;

	add(journal, 1, 10);
	add(journal, 2, 20);
	lease_journal_write(journal);
	lease_journal_close(journal);
	assert_int_equal(stat(path, &whole), 0);
	for (off_t cut = 1; cut < whole.st_size / 2; cut++) {
		assert_int_equal(truncate(path, whole.st_size - cut), 0);
		journal = open_journal();
		assert_true(lines[1] == 1 && lines[2] == 0);
		add(journal, 2, 20);
		assert_int_equal(lease_journal_write(journal), 0);
		lease_journal_close(journal);
		lease_journal_close(open_journal());
		/* Without its end a line is none; with the next one's it is. */
		assert_true(lines[1] == 1 && lines[2] == 1 + (cut == 1));
		assert_int_equal(truncate(path, 0), 0);
		journal = open_journal();
		add(journal, 1, 10);
		add(journal, 2, 20);
		lease_journal_write(journal);
		lease_journal_close(journal);
	}
}

static void a_new_file_has_all(void **state)
{
	struct lease_journal *journal = open_journal();
	struct lease_record old = record_of(1, 99);

	for (unsigned i = 0; i < 20000; i++)
		add(journal, 1, i);
	assert_int_equal(lease_journal_write(journal), 0);
	assert_true(lease_journal_is_long(journal, 100));
	assert_int_equal(lease_journal_begin(journal, &error), 0);
	lease_journal_copy(journal, &old);
	/* Meanwhile. */
	add(journal, 2, 5);
	assert_int_equal(lease_journal_write(journal), 0);
	assert_int_equal(lease_journal_finish(journal, &error), 0);
	assert_false(lease_journal_is_long(journal, 100));
	add(journal, 3, 6);
	assert_int_equal(lease_journal_write(journal), 0);
	lease_journal_close(journal);
	lease_journal_close(open_journal());
	assert_true(lines[1] == 1 && untils[1] == 99 && lines[2] == 1 && lines[3] == 1);
}

static void what_cannot_be_written_is_told(void **state)
{
	struct lease_journal *journal = open_journal();
	struct error reason;

	lease_journal_close(journal);
	/* Others may write it: it is not ours. */
	assert_int_equal(chmod(path, 0666), 0);
	assert_null(lease_journal_open(folder, count, NULL, &reason));
	assert_non_null(strstr(reason.text, "leases"));
	assert_int_equal(chmod(path, 0600), 0);
}

#define JOURNAL_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOURNAL_TEST(what_is_written_is_read),
		JOURNAL_TEST(one_process_has_it),
		JOURNAL_TEST(a_torn_line_costs_itself),
		JOURNAL_TEST(a_new_file_has_all),
		JOURNAL_TEST(what_cannot_be_written_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
