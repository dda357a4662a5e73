/*===- HeaderTest.c - t6.h is C ----------------------------------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/api/t6.h"

/* Called by GenerateTest.cpp: the defaults, as C sees them. */
int t6_header_test(void) {
  t6_sampling_options sampling;
  t6_generate_options generate;
  t6_sampling_options_init(&sampling);
  t6_generate_options_init(&generate);
  return sampling.struct_size == sizeof(sampling) &&
         sampling.temperature == 1 && generate.max_tokens == -1 &&
         t6_status_code(NULL) == T6_OK;
}
