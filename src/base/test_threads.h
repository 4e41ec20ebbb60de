/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of what happens where no thread can be had: link with --wrap=pthread_create. */
#ifndef VSW_BASE_TEST_THREADS_H
#define VSW_BASE_TEST_THREADS_H

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

/* While this is true, pthread_create() fails. */
static bool test_no_threads;

int __real_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	return test_no_threads ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

#endif
