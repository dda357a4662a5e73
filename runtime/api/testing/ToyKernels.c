/*===- ToyKernels.c - A language model for tests -----------------*- C -*-===*\
|*
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
|*
|*===----------------------------------------------------------------------===
|*
|* The most likely next token is a checksum of all tokens before it and of their
|* places, so that a token that is lost, repeated or misplaced changes what
|* follows. With TOY_WRONG the logits are off by a little, with TOY_NAN they are
|* not numbers.
|*
\*===----------------------------------------------------------------------===*/

#include "runtime/schema/KernelAbi.h"

#include <math.h>

enum { kVocab = 260, kLength = 16 };

/* The likeliest token after `count` tokens. */
static int64_t checksum(const float *tokens, int64_t count) {
  int64_t sum = 0;
  for (int64_t i = 0; i < count; ++i)
    sum += (i + 1) * ((int64_t)tokens[i] + 1);
  return sum % kVocab;
}

static void writeLogits(int64_t best, float scale, float *logits) {
  for (int64_t v = 0; v < kVocab; ++v) {
    logits[v] = -scale * (float)((v - best + kVocab) % kVocab);
#if defined(TOY_WRONG)
    logits[v] *= 1.01f;
#elif defined(TOY_NAN)
    logits[v] = __builtin_nanf("");
#endif
  }
}

/* tokens [B, n], positions [B] -> cache [B, L]; grid B; scalars n. */
void toy_append(const t6_bindings *bindings, int64_t workgroup) {
  const int32_t *tokens = bindings->buffers[0];
  const int32_t *positions = bindings->buffers[1];
  float *cache = bindings->buffers[2];
  int64_t n = bindings->scalars[0];
  for (int64_t i = 0; i < n; ++i)
    cache[workgroup * kLength + positions[workgroup] + i] =
        (float)tokens[workgroup * n + i];
}

/* cache, positions [B], last [B], scale [1] -> logits [B, V]; grid B. */
void toy_prefill(const t6_bindings *bindings, int64_t workgroup) {
  const float *cache = bindings->buffers[0];
  const int32_t *positions = bindings->buffers[1];
  const int32_t *last = bindings->buffers[2];
  const float *scale = bindings->buffers[3];
  float *logits = bindings->buffers[4];
  int64_t count = positions[workgroup] + last[workgroup] + 1;
  writeLogits(checksum(cache + workgroup * kLength, count), scale[0],
              logits + workgroup * kVocab);
}

/* cache, positions [B], scale [1] -> logits [B, V]; grid B. */
void toy_decode(const t6_bindings *bindings, int64_t workgroup) {
  const float *cache = bindings->buffers[0];
  const int32_t *positions = bindings->buffers[1];
  const float *scale = bindings->buffers[2];
  float *logits = bindings->buffers[3];
  writeLogits(checksum(cache + workgroup * kLength, positions[workgroup] + 1),
              scale[0], logits + workgroup * kVocab);
}

/* tokens [B, n], targets [B, n], scale [1] -> token_loss [B, n]: -ln p of the
 * target under the logits that toy_decode would give; grid B; scalars n. */
void toy_token_loss(const t6_bindings *bindings, int64_t workgroup) {
  const int32_t *tokens = bindings->buffers[0];
  const int32_t *targets = bindings->buffers[1];
  const float *scale = bindings->buffers[2];
  float *loss = bindings->buffers[3];
  int64_t n = bindings->scalars[0], sum = 0;
  double partition = 0;
  for (int64_t v = 0; v < kVocab; ++v)
    partition += exp(-scale[0] * (double)v);
  for (int64_t i = 0; i < n; ++i) {
    int64_t at = workgroup * n + i;
    sum += (i + 1) * (tokens[at] + 1);
    int64_t distance = (targets[at] - sum % kVocab + kVocab) % kVocab;
    loss[at] = targets[at] < 0
                   ? 0
                   : (float)(scale[0] * (double)distance + log(partition));
  }
}

/* token_loss [B, n], targets [B, n] -> loss [1]; scalars n. */
void toy_mean(const t6_bindings *bindings, int64_t workgroup) {
  const float *token_loss = bindings->buffers[0];
  const int32_t *targets = bindings->buffers[1];
  float *loss = bindings->buffers[2];
  int64_t count = 0;
  double sum = 0;
  (void)workgroup;
  for (int64_t i = 0; i < 2 * bindings->scalars[0]; ++i)
    if (targets[i] >= 0) {
      sum += token_loss[i];
      ++count;
    }
  loss[0] = count ? (float)(sum / (double)count) : 0;
}
