/* A plugin of qemu-user (TCG plugins, qemu 4.2 and later) that counts the guest's instructions.
 *
 * Argument `counter=PATH`: the counter, two integers of 8 bytes in the host's byte order that every process of the guest
 * maps: MARK, by which a reader knows the byte order and that the plugin runs, and the count.
 *
 * What the interface is made of is declared here, so that no header of qemu is needed. -DVERSION is the interface's
 * version: with 1, qemu adds to the counter inside the translated code; from 2 on (qemu 9.0) that works only on memory
 * of qemu's own, and a function is called for each block.
 */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK 1
#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct block;

extern size_t qemu_plugin_tb_n_insns(const struct block *block);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*translated)(plugin_id, struct block *));
#if VERSION < 2
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct block *block, int operation, void *counter, uint64_t add);
#else
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct block *block, void (*run)(unsigned int, void *), int registers,
                                                 void *data);
#endif

EXPORT int qemu_plugin_version = VERSION;
static uint64_t *counter;

#if VERSION < 2
enum { ADD_U64 = 0 };

static void translated(plugin_id id, struct block *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &counter[1], qemu_plugin_tb_n_insns(block));
}
#else
enum { NO_REGISTERS = 0 };

static void run(unsigned int cpu, void *insns) {
    (void)cpu;
    counter[1] += (uintptr_t)insns;
}

static void translated(plugin_id id, struct block *block) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(block, run, NO_REGISTERS, (void *)qemu_plugin_tb_n_insns(block));
}
#endif

EXPORT int qemu_plugin_install(plugin_id id, const void *qemu, int count, char **arguments) {
    (void)qemu;
    if (count != 1 || strncmp(arguments[0], "counter=", 8) != 0)
        return -1;
    int file = open(arguments[0] + 8, O_RDWR | O_CLOEXEC);
    if (file < 0)
        return -1;
    counter = mmap(NULL, 2 * sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (counter == MAP_FAILED)
        return -1;
    counter[0] = MARK;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
