/* All that a program may want of a kernel beside its types. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

struct task_struct;
struct rq;

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_SYSCALL_WRAPPER __kconfig;
extern unsigned int CONFIG_HZ __kconfig;
extern bool CONFIG_SMP __kconfig __weak;
extern enum libbpf_tristate CONFIG_IPV6 __kconfig __weak;
extern char CONFIG_NET __kconfig __weak;
extern char CONFIG_NAME[8] __kconfig __weak;
extern long CONFIG_ABSENT __kconfig __weak;

extern const struct rq runqueues __ksym;
extern const struct rq absent_variable __ksym __weak;
extern const void some_address __ksym;
extern const void absent_address __ksym __weak;
extern struct task_struct *take_task(struct task_struct *) __ksym;
extern void absent_function(int) __ksym __weak;

long sum;

SEC("raw_tp/sys_enter")
int wants(void *ctx)
{
	sum = LINUX_KERNEL_VERSION + LINUX_HAS_SYSCALL_WRAPPER + CONFIG_HZ + CONFIG_SMP + CONFIG_IPV6 + CONFIG_NET;
	sum += CONFIG_NAME[1] + CONFIG_ABSENT;
	sum += (long)&runqueues + (long)&absent_variable + (long)&some_address + (long)&absent_address;
	if (take_task(0))
		absent_function(1);
	return 0;
}

SEC("raw_tp/sys_exit")
int wants_nothing(void *ctx)
{
	return 0;
}
