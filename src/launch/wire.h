/*
 * The messages between the two sides of a launch: SOCK_SEQPACKET, one message a packet.  A packet
 * names the row of the launch table it belongs to, so the two sides cannot drift: another row,
 * another kind, another size or another number of descriptors ends the launch.
 *
 *      donjon (outside)                          donjon-stage (inside)
 *        ids-mapped          ── TELL ──►           (the child before it becomes the stage)
 *        hand-over           ── TELL + fds ──►     plan, root, gate
 *        mounts              ── TELL + fds ──►     a batch of sources
 *                            ◄── MORE ──           until all are placed
 *        namespaces-ready    ◄── TELL ──
 *        hooks-done          ── TELL ──►
 *        terminal            ◄── TELL + fd ──      the pty's master
 *        created             ◄── TELL ──
 *        release             ── TELL ──►           (only with a gate)
 *                            ◄── TELL ──           it depends on nobody now
 *        start               ── TELL + fd ──►      over the gate, or this socket: the exec report page
 *        end of file                               the program was executed, or died: see the page
 *
 * Instead of any message inside -> outside: FAILED with a struct donjon_error.
 */
#ifndef LAUNCH_WIRE_H
#define LAUNCH_WIRE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

enum wire_kind { WIRE_TELL = 1, WIRE_MORE, WIRE_FAILED };

/* 0 or -1.  row: index into launch_steps. */
int wire_send(int wire, enum wire_kind kind, uint32_t row, const int *fds, size_t n_fds,
	      struct donjon_error *err);

/* Waits for exactly this message.  A FAILED packet becomes *err.  *n_fds: room, then received. */
int wire_receive(int wire, enum wire_kind kind, uint32_t row, int *fds, size_t *n_fds,
		 struct donjon_error *err);

/* Sends the failure; its own failure has nobody to be told to. */
void wire_send_failure(int wire, const struct donjon_error *err);

/* What `start` and the stage share about execve: plain stores, since after the filter is loaded the
 * stage may not be able to make any call but execve (design.md §4). */
struct exec_page {
	/* A filter that notifies: number of its listener in the stage plus 1, stored after the load, and
	 * whether somebody has it.  Until then the stage may not go on: its own is close-on-exec. */
	volatile int32_t listener, listener_taken;
	volatile int32_t in_execve; /* stored before execve */
	volatile int32_t os;        /* errno of a failed execve */
	char program[512];          /* for the message */
};

/* What a process under filters is called until its execve succeeds: no program can be called so, which
 * has the last part of its path as its name. */
#define WIRE_EXECUTING_NAME "donjon/execve"

#endif
