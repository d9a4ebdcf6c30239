// SPDX-License-Identifier: MIT
/* A security policy for the start of programs and the opening of files, by path prefix and user.
 *
 * The longest prefix of a path that has a rule decides. A refusal is EPERM in enforcing mode, and a record in both;
 * records are limited per user and second, so that a busy loop cannot drown the others.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "exec_policy.h"

#define FMODE_WRITE 0x2
#define SECOND 1000000000ULL
#define DEPTH 8 /* directories of a path that are looked at */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr {
	unsigned int len;
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode;
	struct path f_path;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	int argc;
};

struct task_struct {
	struct task_struct *real_parent;
	char comm[COMM_LENGTH];
};
#pragma clang attribute pop

const volatile unsigned int trusted_uid = 0;

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, struct rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct allowance);
} allowances SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct prefix);
} scratch SEC(".maps");

__u64 untold;

static __always_inline enum verdict judge(const struct prefix *prefix, __u32 uid, enum act act)
{
	struct rule *rule = bpf_map_lookup_elem(&rules, prefix);

	if (!rule || uid < rule->min_uid || uid == trusted_uid)
		return NO_RULE;
	return rule->acts & act ? ALLOWED : DENIED;
}

/* Take from what a user may have told this second. */
static __always_inline _Bool may_tell(const struct settings *settings, __u32 uid, __u64 now)
{
	struct allowance *known = bpf_map_lookup_elem(&allowances, &uid);

	if (!settings->budget)
		return 1;
	if (!known || now - known->since >= SECOND) {
		struct allowance fresh = { .since = now, .told = 1 };

		bpf_map_update_elem(&allowances, &uid, &fresh, BPF_ANY);
		return 1;
	}
	return __sync_fetch_and_add(&known->told, 1) < settings->budget;
}

static __always_inline void tell(
	const struct settings *settings, const struct prefix *prefix, __u32 uid, enum act act, enum verdict verdict)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 now = bpf_ktime_get_ns();
	struct event *event;

	if (!may_tell(settings, uid, now)) {
		__sync_fetch_and_add(&untold, 1);
		return;
	}
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&untold, 1);
		return;
	}
	event->when = now;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	event->uid = uid;
	event->act = act;
	event->verdict = verdict;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	BPF_CORE_READ_STR_INTO(&event->parent, task, real_parent, comm);
	__builtin_memcpy(event->path, prefix->path, PATH_LENGTH);
	bpf_ringbuf_submit(event, 0);
}

static __always_inline int decide(struct prefix *prefix, enum act act)
{
	__u32 key = 0, uid = bpf_get_current_uid_gid();
	struct settings *set = bpf_map_lookup_elem(&settings, &key);
	enum verdict verdict;

	if (!set)
		return 0;
	prefix->bits = PATH_LENGTH * 8;
	verdict = judge(prefix, uid, act);
	if (verdict != DENIED)
		return 0;
	tell(set, prefix, uid, act, verdict);
	return set->mode == ENFORCING ? -EPERM : 0;
}

static __always_inline struct prefix *fresh_prefix(void)
{
	__u32 key = 0;
	struct prefix *prefix = bpf_map_lookup_elem(&scratch, &key);

	if (prefix)
		__builtin_memset(prefix, 0, sizeof(*prefix));
	return prefix;
}

SEC("lsm/bprm_check_security")
int BPF_PROG(check_exec, struct linux_binprm *bprm)
{
	struct prefix *prefix = fresh_prefix();

	if (!prefix)
		return 0;
	if (bpf_probe_read_kernel_str(prefix->path, sizeof(prefix->path), bprm->filename) < 0)
		return 0;
	return decide(prefix, EXECUTE);
}

/* Write the names of a file's directories before its own: those that fit, from the root on. */
static __always_inline void write_path(struct prefix *prefix, struct dentry *dentry)
{
	struct dentry *chain[DEPTH];
	__u32 at = 0, depth = 0;

	for (int step = 0; step < DEPTH; step++) {
		struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

		if (!parent || parent == dentry)
			break;
		chain[step] = dentry;
		dentry = parent;
		depth = step + 1;
	}
	for (int step = DEPTH - 1; step >= 0; step--) {
		long copied;

		if (step >= depth || at >= PATH_LENGTH - 1)
			continue;
		prefix->path[at & (PATH_LENGTH - 1)] = '/';
		at++;
		if (at >= PATH_LENGTH / 2)
			break;
		copied = bpf_probe_read_kernel_str(
			prefix->path + at, PATH_LENGTH / 2, BPF_CORE_READ(chain[step], d_name.name));
		if (copied <= 0)
			break;
		at += (copied - 1) & (PATH_LENGTH / 2 - 1);
	}
}

SEC("lsm/file_open")
int BPF_PROG(check_open, struct file *file)
{
	__u32 key = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &key);
	_Bool writes = file->f_mode & FMODE_WRITE;
	struct prefix *prefix;

	if (writes && set && !set->watch_writes)
		return 0;
	prefix = fresh_prefix();
	if (!prefix)
		return 0;
	write_path(prefix, file->f_path.dentry);
	return decide(prefix, writes ? WRITE : OPEN);
}

char _license[] SEC("license") = "GPL";
