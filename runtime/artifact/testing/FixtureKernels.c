/*===- FixtureKernels.c - Kernels of the tests' artifact ---------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===
|*
|* What a compiler would emit for the program in FixtureArtifact.cpp. Built
|* three times: as it is, with FIXTURE_WRONG (the affine kernel is off by a
|* little) and with FIXTURE_NAN (it makes a NaN).
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/schema/KernelAbi.h"

#include <string.h>

enum { kBatch = 2, kWidth = 3, kMaxLength = 8 };

static float fromBf16(uint16_t bits) {
  uint32_t wide = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &wide, sizeof(value));
  return value;
}

/* tokens [B, n], w [V, W] -> gathered [B, n, W]; grid B x n; scalars n. */
void fixture_gather(const t6_bindings *bindings, int64_t workgroup) {
  const int32_t *tokens = bindings->buffers[0];
  const float *weight = bindings->buffers[1];
  float *gathered = bindings->buffers[2];
  for (int j = 0; j < kWidth; ++j)
    gathered[workgroup * kWidth + j] = weight[tokens[workgroup] * kWidth + j];
}

/* gathered [B, n, W], scale [W], bias bf16 [W] -> y [B, n, W]; grid
 * ceil(n / 2); scalars n. */
void fixture_affine(const t6_bindings *bindings, int64_t workgroup) {
  const float *gathered = bindings->buffers[0];
  const float *scale = bindings->buffers[1];
  const uint16_t *bias = bindings->buffers[2];
  float *y = bindings->buffers[3];
  int64_t n = bindings->scalars[0];
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 2 * workgroup; i < 2 * workgroup + 2 && i < n; ++i)
      for (int j = 0; j < kWidth; ++j) {
        int64_t at = (b * n + i) * kWidth + j;
        y[at] = gathered[at] * scale[j] + fromBf16(bias[j]);
#if defined(FIXTURE_WRONG)
        if (at == 1)
          y[at] *= 1.01f;
#elif defined(FIXTURE_NAN)
        if (at == 1)
          y[at] = __builtin_nanf("");
#endif
      }
}

/* positions [B], y [B, n, W] -> cache [B, L, W]; grid B; scalars n. */
void fixture_append(const t6_bindings *bindings, int64_t workgroup) {
  const int32_t *positions = bindings->buffers[0];
  const float *y = bindings->buffers[1];
  float *cache = bindings->buffers[2];
  int64_t n = bindings->scalars[0];
  memcpy(cache + (workgroup * kMaxLength + positions[workgroup]) * kWidth,
         y + workgroup * n * kWidth, sizeof(float) * n * kWidth);
}

/* cache [B, L, W] -> sum [1]: the first m rows of each batch; scalars m. */
void fixture_sum(const t6_bindings *bindings, int64_t workgroup) {
  const float *cache = bindings->buffers[0];
  float *sum = bindings->buffers[1];
  int64_t m = bindings->scalars[0];
  float total = 0;
  (void)workgroup;
  for (int64_t b = 0; b < kBatch; ++b)
    for (int64_t i = 0; i < m * kWidth; ++i)
      total += cache[b * kMaxLength * kWidth + i];
  sum[0] = total;
}

/* -> counts i32 [24]: each workgroup adds 1 to its own; grid 4 x ceil(11/2). */
void fixture_count(const t6_bindings *bindings, int64_t workgroup) {
  int32_t *counts = bindings->buffers[0];
  counts[workgroup] += 1;
}
