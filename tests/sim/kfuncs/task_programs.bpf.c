#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
} __attribute__((preserve_access_index));

struct kernfs_node {
	__u64 id;
} __attribute__((preserve_access_index));

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	int level;
} __attribute__((preserve_access_index));

struct task_struct {
	int pid, tgid;
	char comm[16];
} __attribute__((preserve_access_index));

struct bpf_iter_task {
	__u64 opaque[3];
};
struct bpf_iter_css {
	__u64 opaque[3];
};
struct bpf_iter_css_task {
	__u64 opaque[1];
};

extern struct task_struct *bpf_task_acquire(struct task_struct *) __ksym;
extern void bpf_task_release(struct task_struct *) __ksym;
extern struct task_struct *bpf_task_from_pid(__s32) __ksym;
extern struct task_struct *bpf_task_from_vpid(__s32) __ksym;
extern long bpf_task_under_cgroup(struct task_struct *, struct cgroup *) __ksym;
extern struct cgroup *bpf_cgroup_acquire(struct cgroup *) __ksym;
extern void bpf_cgroup_release(struct cgroup *) __ksym;
extern struct cgroup *bpf_cgroup_from_id(__u64) __ksym;
extern struct cgroup *bpf_cgroup_ancestor(struct cgroup *, int) __ksym;
extern int bpf_iter_task_new(struct bpf_iter_task *, struct task_struct *, unsigned int) __ksym;
extern struct task_struct *bpf_iter_task_next(struct bpf_iter_task *) __ksym;
extern void bpf_iter_task_destroy(struct bpf_iter_task *) __ksym;
extern int bpf_iter_css_new(struct bpf_iter_css *, struct cgroup_subsys_state *, unsigned int) __ksym;
extern struct cgroup_subsys_state *bpf_iter_css_next(struct bpf_iter_css *) __ksym;
extern void bpf_iter_css_destroy(struct bpf_iter_css *) __ksym;
extern int bpf_iter_css_task_new(struct bpf_iter_css_task *, struct cgroup_subsys_state *, unsigned int) __ksym;
extern struct task_struct *bpf_iter_css_task_next(struct bpf_iter_css_task *) __ksym;
extern void bpf_iter_css_task_destroy(struct bpf_iter_css_task *) __ksym;

int pid, level, made, under, parts[4], order;
unsigned int flags;
__u64 group, above;
char comm[16];

static __always_inline void append(int number)
{
	order = order * 10 + number % 10;
}

SEC("syscall")
int find_task(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(pid), *again;

	__builtin_memset(parts, 0, sizeof(parts));
	if (!task)
		return 1;
	parts[0] = task->pid;
	parts[1] = task->tgid;
	again = bpf_task_acquire(task);
	bpf_task_release(task);
	if (!again)
		return 2;
	bpf_probe_read_kernel(comm, sizeof(comm), again->comm);
	bpf_task_release(again);
	return 0;
}

SEC("syscall")
int find_task_here(void *ctx)
{
	struct task_struct *task = bpf_task_from_vpid(pid);

	if (!task)
		return 1;
	parts[0] = task->pid;
	bpf_task_release(task);
	return 0;
}

SEC("syscall")
int find_cgroup(void *ctx)
{
	struct cgroup *found = bpf_cgroup_from_id(group), *again, *higher;
	struct task_struct *task;

	above = 0;
	under = -1;
	if (!found)
		return 1;
	again = bpf_cgroup_acquire(found);
	if (again)
		bpf_cgroup_release(again);
	higher = bpf_cgroup_ancestor(found, level);
	if (higher) {
		above = higher->kn->id;
		task = bpf_task_from_pid(pid);
		if (task) {
			under = bpf_task_under_cgroup(task, higher);
			bpf_task_release(task);
		}
		bpf_cgroup_release(higher);
	}
	parts[0] = found->level;
	bpf_cgroup_release(found);
	return 0;
}

SEC("syscall")
int walk_tasks(void *ctx)
{
	struct task_struct *task;
	struct bpf_iter_task it;

	order = 0;
	bpf_rcu_read_lock();
	made = bpf_iter_task_new(&it, NULL, flags);
	while ((task = bpf_iter_task_next(&it)))
		append(task->pid);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	return 0;
}

SEC("syscall")
int walk_threads(void *ctx)
{
	struct task_struct *from = bpf_task_from_pid(pid), *task;
	struct bpf_iter_task it;

	if (!from)
		return 1;
	order = 0;
	bpf_rcu_read_lock();
	made = bpf_iter_task_new(&it, from, flags);
	while ((task = bpf_iter_task_next(&it)))
		append(task->pid);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_task_release(from);
	return 0;
}

SEC("?syscall")
int walks_from_what_may_be_null(void *ctx)
{
	struct task_struct *from = bpf_task_from_pid(pid);
	struct bpf_iter_task it;

	bpf_rcu_read_lock();
	bpf_iter_task_new(&it, from, flags);
	bpf_iter_task_destroy(&it);
	bpf_rcu_read_unlock();
	if (from)
		bpf_task_release(from);
	return 0;
}

SEC("?syscall")
int walks_without_rcu(void *ctx)
{
	struct bpf_iter_task it;

	bpf_iter_task_new(&it, NULL, flags);
	bpf_iter_task_destroy(&it);
	return 0;
}

SEC("syscall")
int walk_tree(void *ctx)
{
	struct cgroup *found = bpf_cgroup_from_id(group);
	struct cgroup_subsys_state *css;
	struct bpf_iter_css it;

	order = 0;
	if (!found)
		return 1;
	bpf_rcu_read_lock();
	made = bpf_iter_css_new(&it, &found->self, flags);
	while ((css = bpf_iter_css_next(&it)))
		append(css->cgroup->kn->id);
	bpf_iter_css_destroy(&it);
	bpf_rcu_read_unlock();
	bpf_cgroup_release(found);
	return 0;
}

SEC("?lsm.s/bpf")
int walk_group(void *ctx)
{
	struct cgroup *found = bpf_cgroup_from_id(group);
	struct bpf_iter_css_task it;
	struct task_struct *task;

	if (!found)
		return 0;
	order = 0;
	made = bpf_iter_css_task_new(&it, &found->self, flags);
	while ((task = bpf_iter_css_task_next(&it)))
		append(task->pid);
	bpf_iter_css_task_destroy(&it);
	bpf_cgroup_release(found);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
