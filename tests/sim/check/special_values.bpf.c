#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_kfuncs.h>

struct task_struct {
	int pid;
};
struct item {
	struct bpf_list_node link;
};
struct leaf {
	struct bpf_rb_node link;
};
struct counter {
	__u64 number;
};
/* What only maps name, the compiler leaves out of the BTF. */
struct item *item;
struct leaf *leaf;
struct counter *counter;
struct task_struct *task;

/* A map of one value, with 8 bytes before the field at 16 and 8 behind it. */
#define MAP_WITH(name, field)                                                                                  \
	struct name##_value {                                                                                  \
		struct bpf_spin_lock lock;                                                                     \
		__u64 before;                                                                                  \
		field;                                                                                         \
		__u64 after;                                                                                   \
	};                                                                                                     \
	struct {                                                                                               \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                              \
		__uint(max_entries, 1);                                                                        \
		__type(key, int);                                                                              \
		__type(value, struct name##_value);                                                            \
	} name SEC(".maps")
struct bpf_res_spin_lock {
	__u32 val;
};
struct res_lock_value {
	__u64 unused, before;
	struct bpf_res_spin_lock field;
	__u64 after;
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct res_lock_value);
} res_lock SEC(".maps");

MAP_WITH(timer, struct bpf_timer field);
MAP_WITH(work, struct bpf_wq field);
MAP_WITH(task_work, struct bpf_task_work field);
MAP_WITH(refcount, struct bpf_refcount field);
MAP_WITH(list, struct bpf_list_head field __contains(item, link));
MAP_WITH(tree, struct bpf_rb_root field __contains(leaf, link));
MAP_WITH(held, struct task_struct __kptr *field);
MAP_WITH(borrowed, struct task_struct __kptr_untrusted *field);
MAP_WITH(per_cpu, struct counter __percpu_kptr *field);

struct uptr_value {
	__u64 unused, before;
	struct counter __uptr *field;
	__u64 after;
};
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct uptr_value);
} uptr SEC(".maps");

char _license[] SEC("license") = "GPL";
