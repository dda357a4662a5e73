//===- Handles.h - Owners of the runtime's objects --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_HANDLES_H
#define T6_TOOLS_T6_HANDLES_H

#include "runtime/api/t6.h"

#include <memory>

namespace t6::cli {

struct StatusDeleter {
  void operator()(t6_status *status) const { t6_status_free(status); }
};
using Status = std::unique_ptr<t6_status, StatusDeleter>;

struct ModelDeleter {
  void operator()(t6_model *model) const { t6_model_close(model); }
};
using Model = std::unique_ptr<t6_model, ModelDeleter>;

struct TokenizerDeleter {
  void operator()(t6_tokenizer *tokenizer) const {
    t6_tokenizer_free(tokenizer);
  }
};
using Tokenizer = std::unique_ptr<t6_tokenizer, TokenizerDeleter>;

} // namespace t6::cli

#endif // T6_TOOLS_T6_HANDLES_H
