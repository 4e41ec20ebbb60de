/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of changes of a running switch: one runtime with one worker, and a folder of its own
 * for sockets, test_folder/s. Whatever is left there at a test's end fails the test. One thread.
 */
#ifndef VSW_CONTROL_TEST_APPLY_H
#define VSW_CONTROL_TEST_APPLY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/apply.h"

extern char test_folder[32];
extern struct runtime *test_runtime;

int test_apply_setup(void **state);
int test_apply_teardown(void **state);

/* Applies the configuration, from line 2 of a file f.yaml whose first line is our switch's. What
 * runtime_apply() answers; a text that is no configuration fails the test. */
int test_apply(const char *text, enum apply_how how, struct error *error);

/* The running port of this name; NULL: there is none. */
const struct runtime_port *test_entry(const char *name);

#endif
