/* What the stage knows, and its steps (launch/steps.c gives the order and says what each is for). */
#ifndef LAUNCH_INSIDE_H
#define LAUNCH_INSIDE_H

#include "base/fd.h"
#include "launch/steps.h"
#include "launch/wire.h"

struct inside {
	const struct dj_plan *plan;
	int wire;
	int gate;         /* listening socket `start` connects to, or -1 */
	int proc;         /* our own procfs, detached (B06); -1 while nothing needs it */
	int self;         /* this process's directory in it, and all of it that a process gets which joins a
			   * running container; or -1 as well */
	int root;         /* the container's root */
	int mount_ns;     /* to be joined, or -1 */
	int empty_dir;    /* read-only tmpfs that masks directories; a mount to be cloned */
	int null;         /* the same for files: the null device */
	struct exec_page *page;

	int sources[FD_MESSAGE_MAX]; /* received and not yet placed, in plan order */
	size_t n_sources, next_source;
	bool had_sources;

	char *const *argv;
	char *const *envp;
	char *home; /* "HOME=...", or NULL where the configuration has one */
	char program[4096]; /* args[0] resolved */
};

int open_own_procfs(struct inside *s, uint32_t row, struct donjon_error *err);
int find_home(struct inside *s, uint32_t row, struct donjon_error *err);
int attach_rootfs(struct inside *s, uint32_t row, struct donjon_error *err);
int volatile_rootfs(struct inside *s, uint32_t row, struct donjon_error *err);
int mount_all(struct inside *s, uint32_t row, struct donjon_error *err);
int make_devices(struct inside *s, uint32_t row, struct donjon_error *err);
int make_working_directory(struct inside *s, uint32_t row, struct donjon_error *err);
int set_hostname(struct inside *s, uint32_t row, struct donjon_error *err);
int loopback_up(struct inside *s, uint32_t row, struct donjon_error *err);
int hooks_create_container(struct inside *s, uint32_t row, struct donjon_error *err);
int write_sysctls(struct inside *s, uint32_t row, struct donjon_error *err);
int forbid_user_namespaces(struct inside *s, uint32_t row, struct donjon_error *err);
int readonly_paths(struct inside *s, uint32_t row, struct donjon_error *err);
int mask_paths(struct inside *s, uint32_t row, struct donjon_error *err);
int readonly_rootfs(struct inside *s, uint32_t row, struct donjon_error *err);
int join_mounts(struct inside *s, uint32_t row, struct donjon_error *err);
int pivot_root_step(struct inside *s, uint32_t row, struct donjon_error *err);
int own_null(struct inside *s, uint32_t row, struct donjon_error *err);
int open_terminal(struct inside *s, uint32_t row, struct donjon_error *err);
int new_keyring(struct inside *s, uint32_t row, struct donjon_error *err);
int set_scheduling(struct inside *s, uint32_t row, struct donjon_error *err);
int enter_working_directory(struct inside *s, uint32_t row, struct donjon_error *err);
int set_exec_label(struct inside *s, uint32_t row, struct donjon_error *err);
int set_identity(struct inside *s, uint32_t row, struct donjon_error *err);
int find_program(struct inside *s, uint32_t row, struct donjon_error *err);
int verify_inside(struct inside *s, uint32_t row, struct donjon_error *err);
int await_release(struct inside *s, uint32_t row, struct donjon_error *err);
int await_start(struct inside *s, uint32_t row, struct donjon_error *err);
int hooks_start_container(struct inside *s, uint32_t row, struct donjon_error *err);
int reset_process(struct inside *s, uint32_t row, struct donjon_error *err);
int close_descriptors(struct inside *s, uint32_t row, struct donjon_error *err);
int receive_hand_over(struct inside *s, uint32_t row, struct donjon_error *err);

/* Every signal to its default, none blocked. */
int reset_signals(struct donjon_error *err);
/* The default again for what await_release() took over. */
int restore_signals(struct donjon_error *err);

/* The last two rows: no return from either unless execve failed and exit was refused. */
int load_filters(struct inside *s, uint32_t row, struct donjon_error *err);
int execute(struct inside *s, uint32_t row, struct donjon_error *err);

#endif
