//===- ModelArguments.cpp - Options of all that run a model ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/t6/ModelArguments.h"

#include "tools/t6/Console.h"

#include <algorithm>

namespace t6::cli {

void ModelArguments::declare(Options &options, bool withWeights) {
  options.positional("artifact", artifact, "Compiled model (.t6x)");
  if (withWeights) {
    options.add("-w,--weights", weights,
                "Weights: .safetensors, *.index.json or a folder (repeatable)");
    options.flag("--copy-weights", copyWeights,
                 "Copy the weights into huge pages rather than map their file: "
                 "a slower start, more memory, faster from then on");
    options.flag("--random-weights", randomWeights,
                 "Pseudo-random weights as training starts, but small ones "
                 "for zeros; to try things out or to measure");
  }
  options.add("-t,--threads", threads, "Threads; 0: one for each CPU");
  options.add("--device", device, "cpu or auto");
}

t6_status *ModelArguments::open(Model &model) const {
  t6_model_options options;
  t6_model_options_init(&options);
  options.device = device.c_str();
  // Whatever does not fit 32 bits is refused there as well as here.
  options.threads =
      static_cast<int32_t>(std::clamp<int64_t>(threads, -1, INT32_MAX));
  options.copy_weights = copyWeights;
  t6_model *opened = nullptr;
  if (t6_status *status = t6_model_open(artifact.c_str(), &options, &opened))
    return status;
  model.reset(opened);
  if (randomWeights && weights.empty())
    return t6_model_random_weights(opened, 1);
  if (weights.empty())
    return nullptr;
  std::vector<const char *> paths;
  for (const std::string &path : weights)
    paths.push_back(path.c_str());
  t6_status *status = t6_model_load_weights(opened, paths.data(), paths.size());
  for (size_t i = 0; const char *warning = t6_model_warning(opened, i); ++i)
    printNote(warning);
  return status;
}

t6_status *openTokenizer(const std::string &path, Tokenizer &tokenizer) {
  t6_tokenizer *opened = nullptr;
  t6_status *status = t6_tokenizer_open(path.c_str(), &opened);
  tokenizer.reset(opened);
  return status;
}

t6_model_stats statsOf(const t6_model *model) {
  t6_model_stats stats = {};
  stats.struct_size = sizeof(stats);
  t6_model_get_stats(model, &stats);
  return stats;
}

int failUsage(const std::string &message) {
  printError(message);
  return kUsage;
}

} // namespace t6::cli
