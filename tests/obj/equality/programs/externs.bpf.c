/* Values of the configuration, functions and variables of the kernel, also such as it does not have. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

struct task_struct {
	int pid;
};
struct rq {
	int cpu;
};

extern int LINUX_KERNEL_VERSION __kconfig;
extern unsigned int CONFIG_HZ __kconfig;
extern bool CONFIG_SMP __kconfig __weak;
extern enum libbpf_tristate CONFIG_BPF_SYSCALL __kconfig __weak;
extern char CONFIG_NET __kconfig __weak;
extern char CONFIG_CC_VERSION_TEXT[8] __kconfig __weak;
extern long CONFIG_ABSENT_OPTION __kconfig __weak;

extern const struct rq runqueues __ksym;
extern const int absent_variable __ksym __weak;
extern const int bpf_prog_active __ksym __weak;
extern struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;
extern void absent_function(int) __ksym __weak;

long sum;

SEC("raw_tp/sys_enter")
int of_configuration(void *ctx)
{
	sum = LINUX_KERNEL_VERSION + CONFIG_HZ + CONFIG_SMP + CONFIG_BPF_SYSCALL + CONFIG_NET;
	sum += CONFIG_CC_VERSION_TEXT[1] + CONFIG_ABSENT_OPTION;
	return 0;
}

SEC("raw_tp/sys_enter")
int variables(void *ctx)
{
	const struct rq *queue = bpf_this_cpu_ptr(&runqueues);

	if (&absent_variable)
		sum += absent_variable;
	sum += (long)queue;
	return 0;
}

SEC("tp_btf/task_newtask")
int functions(unsigned long long *ctx)
{
	struct task_struct *task = bpf_task_acquire((void *)ctx[0]);

	if (task)
		bpf_task_release(task);
	if (absent_function)
		absent_function(1);
	return 0;
}

SEC("?raw_tp/sys_exit")
int left_out(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
int _version SEC("version") = 0x060102;
