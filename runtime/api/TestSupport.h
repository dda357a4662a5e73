//===- TestSupport.h - What the API's tests share ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_RUNTIME_API_TESTSUPPORT_H
#define T6_RUNTIME_API_TESTSUPPORT_H

#include "runtime/api/t6.h"
#include "runtime/api/testing/ToyModel.h"

#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>

namespace t6 {

/// Frees `status`, and gives its code and message.
inline std::pair<t6_code, std::string> take(t6_status *status) {
  std::pair<t6_code, std::string> result = {t6_status_code(status),
                                            t6_status_message(status)};
  t6_status_free(status);
  return result;
}

#define EXPECT_T6_OK(call) EXPECT_EQ(::t6::take(call).second, "")
#define ASSERT_T6_OK(call) ASSERT_EQ(::t6::take(call).second, "")

/// Expects a failure with `code` whose sentence holds `part`.
inline void expectError(t6_status *status, t6_code code,
                        const std::string &part) {
  auto [actual, message] = take(status);
  EXPECT_EQ(actual, code) << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

using ModelPtr = std::unique_ptr<t6_model, void (*)(t6_model *)>;

/// Opens an artifact, with the toy's weights unless told otherwise.
inline ModelPtr openToy(const std::string &bytes, bool weights = true,
                        float scale = kToyScale) {
  std::string path = writeTemporary("toy.t6x", bytes);
  t6_model_options options;
  t6_model_options_init(&options);
  options.threads = 2;
  t6_model *model = nullptr;
  EXPECT_T6_OK(t6_model_open(path.c_str(), &options, &model));
  if (weights) {
    std::string file = toyWeights("toy.safetensors", scale);
    const char *paths[] = {file.c_str()};
    EXPECT_T6_OK(t6_model_load_weights(model, paths, 1));
  }
  return {model, t6_model_close};
}

using TokenizerPtr = std::unique_ptr<t6_tokenizer, void (*)(t6_tokenizer *)>;

inline TokenizerPtr openBytes() {
  t6_tokenizer *tokenizer = nullptr;
  EXPECT_T6_OK(t6_tokenizer_open("bytes", &tokenizer));
  return {tokenizer, t6_tokenizer_free};
}

} // namespace t6

#endif // T6_RUNTIME_API_TESTSUPPORT_H
