/* Questions of every kind about the kernel's types, those that it does not have among them. */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct list_head {
	struct list_head *next;
};
struct sched_entity {
	unsigned long long vruntime;
	bool on_rq;
};
struct mm_struct {
	unsigned long start_code;
};
struct task_struct {
	int pid;
	unsigned int __state;
	char comm[16];
	struct task_struct *real_parent;
	struct sched_entity se;
	struct mm_struct *mm;
	unsigned in_execve : 1;
	unsigned sched_reset_on_fork : 1;
};
struct task_struct___old {
	long state;
	int nowhere;
};
struct sock_common {
	union {
		struct {
			unsigned int skc_daddr;
			unsigned int skc_rcv_saddr;
		};
	};
	unsigned char skc_reuse : 4;
	unsigned short skc_family;
};
struct sock {
	struct sock_common __sk_common;
	unsigned short sk_type;
	unsigned int sk_protocol;
};
union thread_union_absent {
	int x;
};
struct absent_struct {
	int x;
	int y[4];
};
typedef struct {
	int counter;
} atomic_t;
struct skb_shared_info {
	struct {
		int seen;
	} frags[4];
};
#pragma clang attribute pop

enum bpf_map_type_local {
	ABSENT_VALUE = 3,
};
enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID = 10,
	PIDTYPE_ABSENT = 99,
};

unsigned long long sum;
char name[16];

SEC("kprobe/do_nanosleep")
int fields(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sock *sk = (void *)PT_REGS_PARM1(ctx);

	sum += BPF_CORE_READ(task, real_parent, real_parent, pid) + BPF_CORE_READ(task, se.vruntime);
	sum += BPF_CORE_READ(task, mm, start_code) + BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	bpf_core_read_str(name, sizeof(name), &task->comm);
	bpf_core_read(&sum, sizeof(sum), &task->comm[3]);
	sum += BPF_CORE_READ_BITFIELD_PROBED(task, sched_reset_on_fork);
	sum += BPF_CORE_READ_BITFIELD_PROBED(sk, __sk_common.skc_reuse) + BPF_CORE_READ(sk, sk_protocol);
	return 0;
}

SEC("tp_btf/sched_switch")
int loads(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	sum += task->pid + task->se.vruntime + task->__state + task->se.on_rq + task->real_parent->pid;
	sum += BPF_CORE_READ_BITFIELD(task, in_execve);
	return 0;
}

SEC("kprobe/do_nanosleep")
int exists(struct pt_regs *ctx)
{
	struct task_struct___old *old = (void *)bpf_get_current_task();
	struct absent_struct *absent = (void *)old;

	if (bpf_core_field_exists(old->state))
		sum += BPF_CORE_READ(old, state);
	if (bpf_core_field_exists(old->nowhere))
		sum += BPF_CORE_READ(old, nowhere);
	if (bpf_core_field_exists(absent->y[2]))
		sum += absent->y[2];
	sum += bpf_core_field_exists(((struct task_struct *)0)->se.on_rq) * 2;
	sum += bpf_core_field_size(old->nowhere) + bpf_core_field_size(((struct task_struct *)0)->comm) * 4;
	sum += bpf_core_field_size(((struct sock *)0)->sk_protocol);
	return 0;
}

SEC("kprobe/do_nanosleep")
int types(struct pt_regs *ctx)
{
	sum += bpf_core_type_exists(struct task_struct) + 2 * bpf_core_type_exists(struct absent_struct);
	sum += 4 * bpf_core_type_exists(union thread_union_absent) + 8 * bpf_core_type_exists(atomic_t);
	sum += bpf_core_type_size(struct task_struct) + bpf_core_type_size(struct absent_struct);
	sum += bpf_core_type_id_local(struct task_struct) * 3;
	sum += bpf_core_type_id_kernel(struct task_struct) + bpf_core_type_id_kernel(struct sock_common);
	return 0;
}

SEC("kprobe/do_nanosleep")
int enumerators(struct pt_regs *ctx)
{
	if (bpf_core_enum_value_exists(enum pid_type, PIDTYPE_TGID))
		sum += bpf_core_enum_value(enum pid_type, PIDTYPE_TGID);
	if (bpf_core_enum_value_exists(enum pid_type, PIDTYPE_ABSENT))
		sum += bpf_core_enum_value(enum pid_type, PIDTYPE_ABSENT);
	if (bpf_core_enum_value_exists(enum bpf_map_type_local, ABSENT_VALUE))
		sum += 2;
	return 0;
}

char _license[] SEC("license") = "GPL";
