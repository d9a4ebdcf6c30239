/* As architectures without particulars have it. */
#include <asm-generic/sockios.h>
