/* SPDX-License-Identifier: BSD-3-Clause */
/* Acts on the host, in a folder of the test's own. What takes another user is in tests/hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "host/host.h"
#include "host/netns.h"
#include "host/place.h"

static char directory[64];
static struct error error;

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/host-test.XXXXXX");
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chdir(directory), 0);
	error.text[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	assert_int_equal(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	assert_int_equal(system(command), 0);
	return 0;
}

static bool there(const char *path)
{
	struct stat now;

	return lstat(path, &now) == 0;
}

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	fd_close(&fd);
}

static struct host_socket socket_of(const char *name)
{
	struct host_socket request = {.access = {0600, HOST_AS_MADE, HOST_AS_MADE}};

	assert_int_equal(host_socket_name(&request, name, &error), 0);
	return request;
}

static struct host_folder folder_of(const char *name, enum host_folder_kind kind)
{
	struct host_folder folder = {.kind = kind};

	assert_int_equal(host_folder_name(&folder, name, &error), 0);
	return folder;
}

static int check(const char *path)
{
	struct host_folder folder = folder_of(path, HOST_FOLDER_PLAIN);

	return host_folder_check(&folder, &error);
}

static void test_socket(void **state)
{
	struct host_socket request = socket_of("a.sock");
	struct stat now;
	int fd, client, other;

	assert_int_equal(host_socket_probe(&request, &error), 1);
	assert_int_equal(host_socket_connect(&request, &error), -ENOENT);
	assert_non_null(strstr(error.text, "a.sock"));
	fd = host_socket_listen(&request, &request.made, &error);
	assert_true(fd >= 0);
	assert_true(host_socket_exists(&request));
	assert_int_equal(stat("a.sock", &now), 0);
	assert_int_equal(now.st_mode & 07777, 0600);
	assert_int_equal(now.st_ino, request.made.inode);
	assert_int_equal(host_socket_probe(&request, &error), -EADDRINUSE);
	assert_int_equal(host_socket_listen(&request, &request.made, &error), -EADDRINUSE);
	client = host_socket_connect(&request, &error);
	assert_true(client >= 0);
	request.access.mode = 0660;
	assert_int_equal(host_socket_set_access(&request, &error), 0);
	assert_int_equal(stat("a.sock", &now), 0);
	assert_int_equal(now.st_mode & 07777, 0660);
	fd_close(&client);
	/* What others put there since is neither changed nor removed. */
	assert_int_equal(rename("a.sock", "b.sock"), 0);
	other = host_socket_listen(&request, &(struct host_file){0}, &error);
	assert_true(other >= 0);
	assert_false(host_socket_exists(&request));
	assert_int_equal(host_socket_set_access(&request, &error), -ENOENT);
	host_socket_remove(&request);
	assert_true(there("a.sock"));
	fd_close(&other);
	assert_int_equal(host_socket_probe(&request, &error), 0);
	fd_close(&fd);
}

static void test_socket_names(void **state)
{
	struct host_socket request;
	char path[HOST_SOCKET_PATH_SIZE + 1];

	memset(path, 'x', sizeof(path));
	path[HOST_SOCKET_PATH_SIZE - 1] = '\0';
	assert_int_equal(host_socket_name(&request, path, &error), 0);
	path[HOST_SOCKET_PATH_SIZE - 1] = 'x';
	path[HOST_SOCKET_PATH_SIZE] = '\0';
	assert_int_equal(host_socket_name(&request, path, &error), -ENAMETOOLONG);
	assert_non_null(strstr(error.text, "107"));
	assert_int_equal(host_socket_name(&request, "", &error), -EINVAL);
}

/* A socket in a folder of its own: made with the one above it; and nothing stays where it is
 * refused. */
static void test_socket_in_a_safe_folder(void **state)
{
	struct host_socket request = socket_of("run/control/a.sock");
	struct stat now;
	int fd;

	request.safe_folder = true;
	fd = host_socket_listen(&request, &request.made, &error);
	assert_true(fd >= 0);
	assert_int_equal(stat("run/control", &now), 0);
	assert_int_equal(now.st_mode & 07777, 0755);
	host_socket_remove(&request);
	assert_false(there("run/control/a.sock"));
	fd_close(&fd);
	assert_int_equal(mkdir("all", 0777), 0);
	assert_int_equal(chmod("all", 0777), 0);
	for (unsigned i = 0; i < 2; i++) {
		request = socket_of(i ? "all/control/a.sock" : "all/run/control/a.sock");
		request.safe_folder = true;
		assert_int_equal(host_socket_listen(&request, &request.made, &error), -EPERM);
		assert_non_null(strstr(error.text, "all' may be written by"));
		assert_false(there("all/run") || there("all/control"));
	}
	/* What was there before stays. */
	assert_int_equal(mkdir("all/run", 0755), 0);
	request = socket_of("all/run/control/a.sock");
	request.safe_folder = true;
	assert_int_equal(host_socket_listen(&request, &request.made, &error), -EPERM);
	assert_true(there("all/run"));
	assert_false(there("all/run/control"));
}

static void test_folders(void **state)
{
	struct host_folder folder = folder_of("a/b", HOST_FOLDER_PLAIN);
	struct host_folders_made made;

	assert_int_equal(host_folder_make(&folder, &made, &error), -ENOENT);
	assert_non_null(strstr(error.text, "cannot create 'a/b'"));
	assert_false(there("a"));
	folder.kind = HOST_FOLDER_OURS;
	assert_int_equal(host_folder_make(&folder, &made, &error), 0);
	assert_true(made.folder.inode && made.above.inode);
	/* Not ours any more, or not empty. */
	make_file("a/c");
	host_folder_remove(&folder, &made);
	assert_false(there("a/b"));
	assert_true(there("a"));
	assert_int_equal(mkdir("a/b", 0700), 0);
	made.folder.inode++;
	host_folder_remove(&folder, &made);
	assert_true(there("a/b"));
	assert_int_equal(host_folder_make(&folder, &made, &error), 0);
	assert_true(!made.folder.inode && !made.above.inode);
	host_folder_remove(&folder, &made);
	assert_true(there("a/b"));
}

/* One lock of a folder at a time; who has it is said, and it goes with the descriptor. */
static void test_lock(void **state)
{
	struct host_folder folder = folder_of("l", HOST_FOLDER_PLAIN);
	struct host_folders_made made;
	char process[32];
	int fd;

	assert_int_equal(host_folder_lock(&folder, &error), -ENOENT);
	assert_int_equal(host_folder_make(&folder, &made, &error), 0);
	fd = host_folder_lock(&folder, &error);
	assert_true(fd >= 0);
	assert_int_equal(host_folder_lock(&folder, &error), -EADDRINUSE);
	snprintf(process, sizeof(process), "by process %d (", (int)getpid());
	assert_non_null(strstr(error.text, process));
	close(fd);
	fd = host_folder_lock(&folder, &error);
	assert_true(fd >= 0);
	close(fd);
	host_folder_remove(&folder, &made);
	assert_int_equal(access("l", F_OK), -1);
}

/* Whoever may look into a folder may lock it; that of a user who cannot be a vswd keeps none from
 * starting. */
static void test_lock_of_a_stranger(void **state)
{
	struct host_folder folder = folder_of("l", HOST_FOLDER_PLAIN);
	struct host_folders_made made;
	int ready[2], fd;
	pid_t stranger;
	char byte;

	if (geteuid() != 0)
		skip();
	assert_int_equal(host_folder_make(&folder, &made, &error), 0);
	assert_int_equal(pipe(ready), 0);
	stranger = fork();
	if (stranger == 0) {
		int own = open("l", O_RDONLY | O_DIRECTORY);

		if (setresuid(65534, 65534, 65534) < 0 || flock(own, LOCK_EX) < 0 ||
			write(ready[1], "!", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	fd = host_folder_lock(&folder, &error);
	assert_true(fd >= 0);
	close(fd);
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	host_folder_remove(&folder, &made);
}

/* A file where a folder should be made leaves the folder above it as it was: not there. */
static void test_a_folder_that_cannot_be_made(void **state)
{
	struct host_folder folder = folder_of("a/b/c", HOST_FOLDER_OURS);
	struct host_folders_made made;

	make_file("a");
	assert_int_equal(host_folder_make(&folder, &made, &error), -ENOTDIR);
	folder = folder_of("d/..x/../y", HOST_FOLDER_OURS);
	assert_int_equal(host_folder_make(&folder, &made, &error), -ENOENT);
	assert_false(there("d"));
}

static void test_check_follows_each_link(void **state)
{
	assert_int_equal(mkdir("all", 0777), 0);
	assert_int_equal(chmod("all", 0777), 0);
	assert_int_equal(mkdir("real", 0755), 0);
	assert_int_equal(mkdir("real/deep", 0755), 0);
	assert_int_equal(check("real/deep"), 0);
	assert_int_equal(check("real//./deep/"), 0);
	assert_int_equal(check("."), 0);
	assert_int_equal(check(""), 0);
	assert_int_equal(check("all"), -EPERM);
	assert_int_equal(check("all/.."), -EPERM);
	/* A chain whose ends are safe, and whose middle stands where everybody may turn it. */
	assert_int_equal(symlink("../real", "all/middle"), 0);
	assert_int_equal(symlink("all/middle", "first"), 0);
	assert_int_equal(symlink("real/deep", "short"), 0);
	assert_int_equal(check("short"), 0);
	assert_int_equal(check("first"), -EPERM);
	assert_non_null(strstr(error.text, "/all' may be written by"));
	assert_int_equal(check("first/deep"), -EPERM);
	assert_int_equal(check("short/../../first"), -EPERM);
	/* In a sticky folder only its owner may turn a link. */
	assert_int_equal(chmod("all", 01777), 0);
	assert_int_equal(check("first/deep"), 0);
}

static void test_check_comes_to_an_end(void **state)
{
	struct host_folder folder;
	char path[HOST_PATH_SIZE + 1];

	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(symlink("grow/x", "grow"), 0);
	make_file("file");
	assert_int_equal(check("loop"), -ELOOP);
	assert_int_equal(check("grow"), -ELOOP);
	assert_int_equal(check("file"), -ENOTDIR);
	assert_int_equal(check("nothing/at/all"), -ENOENT);
	memset(path, '/', sizeof(path));
	path[HOST_PATH_SIZE - 1] = '\0';
	assert_int_equal(check(path), 0);
	memset(path, 'x', HOST_PATH_SIZE - 1);
	assert_int_equal(check(path), -ENAMETOOLONG);
	path[HOST_PATH_SIZE - 1] = 'x';
	path[HOST_PATH_SIZE] = '\0';
	assert_int_equal(host_folder_name(&folder, path, &error), -ENAMETOOLONG);
	assert_int_equal(host_folder_of(&folder, path, &error), -ENAMETOOLONG);
}

static void test_record(void **state)
{
	struct host_record record = {.size = 5000};
	struct stat now;
	char zero[2] = {1, 1};
	int fd;

	assert_int_equal(host_record_name(&record, "run/.kept", "vm1", &error), 0);
	fd = host_record_open(&record, &error);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &now), 0);
	assert_int_equal(now.st_size, 5000);
	assert_int_equal(now.st_mode & 07777, 0600);
	assert_int_equal(pwrite(fd, "x", 1, 4999), 1);
	fd_close(&fd);
	/* What was written is there for the next one, and it grows. */
	record.size = 6000;
	fd = host_record_open(&record, &error);
	assert_int_equal(pread(fd, zero, 2, 4999), 2);
	assert_memory_equal(zero, "x", 2);
	fd_close(&fd);
	/* Others may read it; it has a second name; a link; a folder that others may use. */
	assert_int_equal(chmod("run/.kept/vm1", 0640), 0);
	assert_int_equal(host_record_open(&record, &error), -EPERM);
	assert_int_equal(chmod("run/.kept/vm1", 0600), 0);
	assert_int_equal(link("run/.kept/vm1", "second"), 0);
	assert_int_equal(host_record_open(&record, &error), -EINVAL);
	assert_int_equal(unlink("run/.kept/vm1"), 0);
	assert_int_equal(symlink("../../second", "run/.kept/vm1"), 0);
	assert_int_equal(host_record_open(&record, &error), -ELOOP);
	host_record_remove(&record);
	assert_false(there("run/.kept"));
	assert_true(there("second"));
	assert_int_equal(mkdir("run/.kept", 0755), 0);
	assert_int_equal(host_record_open(&record, &error), -EPERM);
	assert_int_equal(rmdir("run/.kept"), 0);
	assert_int_equal(symlink("/tmp", "run/.kept"), 0);
	assert_true(host_record_open(&record, &error) < 0);
}

/* Whoever asks must not get out of the folder. */
static void test_record_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a/b", "/x", ".hidden"};
	struct host_record record;
	char name[HOST_NAME_SIZE + 1];

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(host_record_name(&record, "run", bad[i], &error), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[HOST_NAME_SIZE] = '\0';
	assert_int_equal(host_record_name(&record, "run", name, &error), -ENAMETOOLONG);
}

static void check_place(const char *a, const char *b, bool same)
{
	char place[HOST_PLACE_SIZE], other[HOST_PLACE_SIZE];

	host_file_place(a, place);
	host_file_place(b, other);
	assert_int_equal(strcmp(place, other) == 0, same);
}

/* Two names of one thing are known as such. */
static void test_places(void **state)
{
	char place[HOST_PLACE_SIZE], other[HOST_PLACE_SIZE], path[128];
	uint64_t identity;

	assert_int_equal(mkdir("real", 0755), 0);
	assert_int_equal(symlink("real", "link"), 0);
	assert_int_equal(symlink("x", "real/y"), 0);
	check_place("real/x", "link//../link/x", true);
	check_place("real/x", "real/y", false);
	check_place("gone/x", "gone/x", true);
	check_place("gone/x", "real/x", false);
	assert_int_equal(symlink("/proc/self/ns/net", "ns"), 0);
	snprintf(path, sizeof(path), "%s/ns", directory);
	assert_int_equal(netns_find(path, &identity, &error), 0);
	assert_int_equal(identity, netns_identity());
	host_netns_place("", place);
	host_netns_place(path, other);
	assert_string_equal(place, other);
	host_netns_place("no-such", place);
	assert_string_equal(place, "/run/netns/no-such");
	assert_int_equal(netns_find("no-such", &identity, &error), -ENOENT);
	assert_int_equal(netns_find("/dev/null", &identity, &error), -ENOENT);
	assert_string_equal(error.text, "/dev/null is no network namespace");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_socket),
		TEST(test_socket_names),
		TEST(test_socket_in_a_safe_folder),
		TEST(test_folders),
		TEST(test_lock),
		TEST(test_lock_of_a_stranger),
		TEST(test_a_folder_that_cannot_be_made),
		TEST(test_check_follows_each_link),
		TEST(test_check_comes_to_an_end),
		TEST(test_record),
		TEST(test_record_names),
		TEST(test_places),
	};

	umask(0022);
	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
