/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Telling the service manager how we are: the protocol of sd_notify(3), one datagram to the socket
 * that NOTIFY_SOCKET names. Without that variable nothing happens. Control thread.
 */
#ifndef VSW_DAEMON_NOTIFY_H
#define VSW_DAEMON_NOTIFY_H

/* state: "READY=1", "STOPPING=1", ... */
void notify(const char *state);

/* Tells that the configuration is being read again; READY=1 ends that. */
void notify_reloading(void);

#endif
