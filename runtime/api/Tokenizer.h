//===- Tokenizer.h - What a t6_tokenizer is ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_TOKENIZER_H
#define T6_RUNTIME_API_TOKENIZER_H

#include "runtime/text/Tokenizer.h"

#include <memory>

struct t6_tokenizer {
  std::unique_ptr<const t6::Tokenizer> tokenizer;
};

#endif // T6_RUNTIME_API_TOKENIZER_H
