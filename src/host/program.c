/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin"};

static int find_program(const char *name, char *path, size_t size, struct error *error)
{
	for (unsigned i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, size, "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0)
			return 0;
	}
	return error_set(error, -ENOENT, "there is no program '%s' on this machine", name);
}

int host_program_find(const char *name, struct error *error)
{
	char path[64];

	return find_program(name, path, sizeof(path), error);
}

/* The text as a file that exists in memory only, so that nobody waits for it to be read. */
static int open_input(const struct host_program *request, struct error *error)
{
	int fd = memfd_create("input", MFD_CLOEXEC);
	size_t done = 0;

	while (fd >= 0 && done < request->size) {
		ssize_t n = write(fd, request->input + done, request->size - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (fd < 0 || done < request->size || lseek(fd, 0, SEEK_SET) < 0) {
		fd_close(&fd);
		return error_set_errno(error, -errno, "no memory for the input of a program");
	}
	return fd;
}

/* In the child, which shares our memory until it is another program: system calls only. */
static void become(const char *path, char *const *words, int input, int output)
{
	static char language[] = "LC_ALL=C", folders_of[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const environment[] = {language, folders_of, NULL};
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	sigemptyset(&none);
	sigaction(SIGPIPE, &plain, NULL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(127);
	syscall(SYS_close_range, 3U, ~0U, 0U);
	execve(path, words, environment);
	_exit(127);
}

static int launch(const char *path, const struct host_program *request, int input, int output,
	struct host_running *running, struct error *error)
{
	struct netns_visit visit;
	int status = netns_enter(&visit, request->netns, error);

	if (status < 0)
		return status;
	running->pid = vfork();
	if (running->pid == 0)
		become(path, (char *const *)request->words, input, output);
	status = running->pid < 0 ? -errno : 0;
	netns_leave(&visit);
	if (status < 0)
		return error_set_errno(error, status, "cannot start %s", path);
	running->exited = (int)syscall(SYS_pidfd_open, running->pid, 0);
	if (running->exited >= 0)
		return 0;
	status = error_set_errno(error, -errno, "cannot watch %s", path);
	kill(running->pid, SIGKILL);
	waitpid(running->pid, NULL, 0);
	return status;
}

int host_program_start(
	const struct host_program *request, struct host_running *running, struct error *error)
{
	int pipe_ends[2] = {-1, -1};
	int input = -1, status;
	char path[64];

	*running = (struct host_running){.exited = -1, .output = -1};
	status = find_program(request->words[0], path, sizeof(path), error);
	if (status < 0)
		return status;
	if (pipe2(pipe_ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_set_errno(error, -errno, "cannot make a pipe");
	input = open_input(request, error);
	status = input < 0 ? input : launch(path, request, input, pipe_ends[1], running, error);
	fd_close(&input);
	fd_close(&pipe_ends[1]);
	if (status < 0)
		fd_close(&pipe_ends[0]);
	running->output = pipe_ends[0];
	return status;
}

void host_program_kill(const struct host_running *running)
{
	kill(running->pid, SIGKILL);
}

bool host_program_wait(const struct host_running *running, int milliseconds)
{
	struct pollfd poll_fd = {.fd = running->exited, .events = POLLIN};

	return poll(&poll_fd, 1, milliseconds) > 0;
}

bool host_program_finish(struct host_running *running, const char *name, struct error *error)
{
	char said[256];
	ssize_t length = read(running->output, said, sizeof(said) - 1);
	int status = -1;

	waitpid(running->pid, &status, 0);
	fd_close(&running->output);
	fd_close(&running->exited);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	said[length > 0 ? length : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	for (char *c = said; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	if (WIFSIGNALED(status))
		error_set(error, -EIO, "%s was ended by signal %d", name, WTERMSIG(status));
	else
		error_set(error, -EIO, "%s failed: %s", name, *said ? said : "it does not say why");
	return false;
}
