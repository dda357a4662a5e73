//===- ModelArguments.h - Options of all that run a model -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef T6_TOOLS_T6_MODELARGUMENTS_H
#define T6_TOOLS_T6_MODELARGUMENTS_H

#include "tools/t6/Command.h"
#include "tools/t6/Handles.h"

#include <string>
#include <vector>

namespace t6::cli {

struct ModelArguments {
  std::string artifact;
  std::vector<std::string> weights;
  bool copyWeights = false;
  bool randomWeights = false;
  std::string device = "auto";
  int64_t threads = 0;

  /// The artifact, and what it is run with.
  void declare(Options &options, bool withWeights = true);
  /// Opens the artifact, and its weights if any are asked for.
  t6_status *open(Model &model) const;
};

t6_status *openTokenizer(const std::string &path, Tokenizer &tokenizer);

/// The sizes of `model`.
t6_model_stats statsOf(const t6_model *model);

/// Prints the usage error `message` and gives the exit code.
int failUsage(const std::string &message);

} // namespace t6::cli

#endif // T6_TOOLS_T6_MODELARGUMENTS_H
