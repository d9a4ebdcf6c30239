/* A policy for security hooks, an iterator over tasks, and programs around a function: typed arguments. */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct path {
	void *dentry;
};
struct file {
	struct path f_path;
	unsigned int f_flags;
};
struct linux_binprm {
	const char *filename;
};
struct task_struct {
	int pid;
	int tgid;
	char comm[16];
};
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *map;
	void *key;
	void *value;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
#pragma clang attribute pop

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, char[32]);
	__type(value, int);
} secret SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} opened SEC(".maps");

long returned;

/* Files in `secret` are for root alone; each task's opened files are counted. */
SEC("lsm/file_open")
int BPF_PROG(may_open, struct file *file, int ret)
{
	char name[32] = {};
	__u64 *count;

	if (ret)
		return ret;
	count = bpf_task_storage_get(&opened, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (count)
		(*count)++;
	if (bpf_d_path(&file->f_path, name, sizeof(name)) < 0)
		return 0;
	if (bpf_map_lookup_elem(&secret, name) && (__u32)bpf_get_current_uid_gid())
		return -EACCES;
	return 0;
}

/* Nothing below /tmp is executed. */
SEC("lsm/bprm_check_security")
int BPF_PROG(may_execute, struct linux_binprm *bprm, int ret)
{
	char name[8] = {};

	if (ret)
		return ret;
	bpf_probe_read_kernel_str(name, sizeof(name), bprm->filename);
	return __builtin_memcmp(name, "/tmp/", 5) ? 0 : -EPERM;
}

SEC("lsm_cgroup/file_open")
int BPF_PROG(may_open_here, struct file *file)
{
	return (file->f_flags & 3) == 0;
}

SEC("iter/bpf_map_elem")
int dump_map(struct bpf_iter__bpf_map_elem *ctx)
{
	__u32 *key = ctx->key;
	__u64 *value = ctx->value;

	if (key && value) {
		BPF_SEQ_PRINTF(ctx->meta->seq, "%u: %llu\n", *key, *value);
		*value += 1;
	}
	return 0;
}

SEC("iter/task")
int dump_tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (!task) {
		BPF_SEQ_PRINTF(ctx->meta->seq, "%llu tasks\n", ctx->meta->seq_num);
		return 0;
	}
	BPF_SEQ_PRINTF(ctx->meta->seq, "%d %s\n", task->pid, task->comm);
	return 0;
}

SEC("fexit/vfs_read")
int BPF_PROG(has_read, struct file *file, char *buf, unsigned long count, long *pos, long ret)
{
	returned = ret;
	return 0;
}

char _license[] SEC("license") = "GPL";
