#include "launch/wire.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <string.h>

struct packet {
	uint32_t kind, row;
	struct donjon_error error; /* only with WIRE_FAILED */
};

enum { HEAD_SIZE = offsetof(struct packet, error) };

int wire_send(int wire, enum wire_kind kind, uint32_t row, const int *fds, size_t n_fds,
	      struct donjon_error *err)
{
	const struct packet packet = { .kind = kind, .row = row };
	int r = fd_send(wire, &packet, HEAD_SIZE, fds, n_fds);

	if (r < 0)
		return dj_fail_os(err, -r, "send to the other side of the launch");
	return 0;
}

void wire_send_failure(int wire, const struct donjon_error *err)
{
	struct packet packet = { .kind = WIRE_FAILED };

	packet.error = *err;
	(void)fd_send(wire, &packet, sizeof(packet), NULL, 0);
}

static int check(const struct packet *packet, size_t size, enum wire_kind kind, uint32_t row,
		 struct donjon_error *err)
{
	if (packet->kind == WIRE_FAILED && size == sizeof(*packet)) {
		*err = packet->error;
		err->step[sizeof(err->step) - 1] = '\0';
		err->text[sizeof(err->text) - 1] = '\0';
		if ((unsigned)err->code >= DONJON_E_CODE_COUNT || err->code == DONJON_OK)
			err->code = DONJON_E_VERIFY;
		return -1;
	}
	if (size != HEAD_SIZE || packet->kind != kind || packet->row != row)
		return dj_fail(err, DONJON_E_VERIFY,
			       "launch protocol: got message %u of row %u, expected %u of row %u",
			       packet->kind, packet->row, kind, row);
	return 0;
}

int wire_receive(int wire, enum wire_kind kind, uint32_t row, int *fds, size_t *n_fds,
		 struct donjon_error *err)
{
	struct packet packet = { 0 };
	size_t none = 0, *n = n_fds ? n_fds : &none;
	ssize_t size = fd_receive(wire, &packet, sizeof(packet), fds, n);

	if (size < 0)
		return dj_fail_os(err, (int)-size, "receive from the other side of the launch");
	if (size == 0) {
		(void)dj_fail(err, DONJON_E_SYSTEM, "the other side of the launch went away");
		err->os = ECONNRESET;
		return -1;
	}
	if (check(&packet, (size_t)size, kind, row, err) < 0) {
		for (size_t i = 0; i < *n; i++)
			dj_close(&fds[i]);
		*n = 0;
		return -1;
	}
	return 0;
}
