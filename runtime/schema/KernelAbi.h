/*===- KernelAbi.h - The call between the runtime and a kernel ---*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===
|*
|* The C interface of every symbol in an artifact's kernels.so, shared by the
|* compiler that emits kernels and the runtime that calls them. Nothing else of
|* the runtime is visible to a kernel.
|*
\*===----------------------------------------------------------------------===*/

#ifndef T6_RUNTIME_SCHEMA_KERNELABI_H
#define T6_RUNTIME_SCHEMA_KERNELABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The operands of one dispatch, in the order of the program's lists.
 *
 * buffers[i] is the start of binding i, its byte offset already added. Input
 * and output buffers are packed row-major at the *current* value of the
 * scalars, so the stride of a dimension never depends on a scalar's maximum.
 * State and arena buffers, inputs and outputs start at a multiple of 64 bytes,
 * constants at their offset from one; parameters may be views into a file and
 * are aligned to their element only.
 *
 * scalars[i] is the current value of the i-th scalar that the dispatch names.
 */
typedef struct t6_bindings {
  void *const *buffers;
  const int64_t *scalars;
} t6_bindings;

/* Runs one workgroup of a dispatch. `workgroup` counts the grid row-major (the
 * last grid dimension fastest) from 0. Workgroups of a dispatch run in any
 * order and at the same time on several threads; each must finish without
 * waiting for another, and all of a dispatch are over before the next begins.
 */
typedef void (*t6_kernel_fn)(const t6_bindings *bindings, int64_t workgroup);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* T6_RUNTIME_SCHEMA_KERNELABI_H */
