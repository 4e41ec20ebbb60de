/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/lease_journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/common.h"
#include "base/fd.h"
#include "base/log.h"
#include "host/host.h"

#define NAME           "leases"
#define NEW_NAME       "leases.new"
/* Lines that are collected before they are written. */
#define BUFFER         (256u << 10)
/* A file below this is not worth the work. */
#define LONG_MIN_BYTES (1u << 20)
/* What a line takes, roughly. */
#define LINE_BYTES     128u

/* A file and what is to be written to it. */
struct output {
	int fd; /* -1: there is none */
	uint64_t size;
	bool torn;  /* its last line has no end */
	int failed; /* -errno of what could not be written since lease_journal_write(); 0: none */
	size_t length;
	char buffer[BUFFER];
};

struct lease_journal {
	struct host_record record;
	int lock;
	struct output now, next; /* next: the new file while there is one */
};

/* Writes what is in the buffer, as far as it can: a line that was cut is ended by the next one. */
static void flush(struct output *output)
{
	size_t done = 0;

	if (output->torn && output->length) {
		if (write(output->fd, "\n", 1) != 1) {
			output->failed = -EIO;
			output->length = 0;
			return;
		}
		output->torn = false;
		output->size++;
	}
	while (done < output->length) {
		ssize_t n = write(output->fd, output->buffer + done, output->length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			output->failed = n < 0 ? -errno : -EIO;
			output->torn = done > 0;
			break;
		}
		done += (size_t)n;
	}
	output->size += done;
	output->length = 0;
}

static void add(struct output *output, const struct lease_record *record)
{
	if (output->length + LEASE_RECORD_MAX >= BUFFER)
		flush(output);
	output->length += lease_record_write(output->buffer + output->length, record);
}

void lease_journal_add(struct lease_journal *journal, const struct lease_record *record)
{
	add(&journal->now, record);
	if (journal->next.fd >= 0)
		add(&journal->next, record);
}

int lease_journal_write(struct lease_journal *journal)
{
	int failed;

	flush(&journal->now);
	if (journal->next.fd >= 0)
		flush(&journal->next);
	failed = journal->now.failed;
	journal->now.failed = 0;
	return failed;
}

bool lease_journal_is_long(const struct lease_journal *journal, unsigned lines)
{
	return journal->now.size > LONG_MIN_BYTES &&
	       journal->now.size > 4 * (uint64_t)lines * LINE_BYTES;
}

static void drop_new(struct lease_journal *journal)
{
	fd_close(&journal->next.fd);
	journal->next.length = 0;
	journal->next.failed = 0;
}

int lease_journal_begin(struct lease_journal *journal, struct error *error)
{
	struct host_record record = journal->record;
	int fd;

	drop_new(journal);
	strcpy(record.name, NEW_NAME);
	fd = host_record_open(&record, error);
	if (fd < 0)
		return fd;
	/* What an attempt before left there. */
	if (ftruncate(fd, 0) < 0) {
		int rc = error_set_errno(error, -errno, "%s/%s", record.folder, record.name);

		fd_close(&fd);
		return rc;
	}
	journal->next.fd = fd;
	journal->next.size = 0;
	journal->next.torn = false;
	return 0;
}

void lease_journal_copy(struct lease_journal *journal, const struct lease_record *record)
{
	add(&journal->next, record);
}

int lease_journal_finish(struct lease_journal *journal, struct error *error)
{
	struct host_record record = journal->record;
	int rc;

	flush(&journal->next);
	rc = journal->next.failed;
	if (rc < 0)
		error_set_errno(error, rc, "%s/%s", record.folder, NEW_NAME);
	strcpy(record.name, NEW_NAME);
	if (rc == 0)
		rc = host_record_rename(&record, NAME, error);
	if (rc == 0) {
		fd_close(&journal->now.fd);
		journal->now.fd = journal->next.fd;
		journal->now.size = journal->next.size;
		journal->now.torn = false;
		journal->next.fd = -1;
	}
	drop_new(journal);
	return rc;
}

/* Reads the file from its beginning. */
static void load(struct lease_journal *journal,
	void (*each)(void *owner, const struct lease_record *record), void *owner)
{
	struct output *output = &journal->now;
	int copy = dup(output->fd);
	FILE *file = copy < 0 ? NULL : fdopen(copy, "r");
	struct lease_record record;
	unsigned damaged = 0;
	char *line = NULL;
	size_t room = 0;
	ssize_t length;

	if (!file) {
		fd_close(&copy);
		return;
	}
	while ((length = getline(&line, &room, file)) > 0) {
		output->torn = line[length - 1] != '\n';
		output->size += (uint64_t)length;
		if (!output->torn && lease_record_read(line, (size_t)length - 1, &record))
			each(owner, &record);
		else
			damaged += length > 1;
	}
	free(line);
	fclose(file);
	lseek(output->fd, 0, SEEK_END);
	if (damaged)
		log_warning("%s/%s: lines that are damaged, and ignored: %u",
			journal->record.folder, journal->record.name, damaged);
}

struct lease_journal *lease_journal_open(const char *state_dir,
	void (*each)(void *owner, const struct lease_record *record), void *owner,
	struct error *error)
{
	struct lease_journal *journal = calloc(1, sizeof(*journal));
	struct host_folder folder;
	char path[HOST_PATH_SIZE];

	if (!journal) {
		error_set(error, -ENOMEM, "out of memory");
		return NULL;
	}
	journal->lock = journal->now.fd = journal->next.fd = -1;
	snprintf(path, sizeof(path), "%s/dhcp", state_dir);
	if (host_record_name(&journal->record, path, NAME, error) < 0)
		goto close_journal;
	journal->now.fd = host_record_open(&journal->record, error);
	if (journal->now.fd < 0 || host_folder_name(&folder, path, error) < 0)
		goto close_journal;
	journal->lock = host_folder_lock(&folder, error);
	if (journal->lock < 0)
		goto close_journal;
	load(journal, each, owner);
	return journal;

close_journal:
	lease_journal_close(journal);
	return NULL;
}

void lease_journal_close(struct lease_journal *journal)
{
	if (!journal)
		return;
	fd_close(&journal->now.fd);
	fd_close(&journal->next.fd);
	fd_close(&journal->lock);
	free(journal);
}
